#include "kvzip/backend/cpu/cpu_info.h"

#include <hwy/highway.h>
#include <hwy/targets.h>

#include <cstdint>
#include <fstream>
#include <oneapi/dnnl/dnnl.hpp>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// The first "model name" of /proc/cpuinfo, or "CPU" where the system names none.
std::string brand() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

/// The best of the vector extensions that this processor has and the library holds code for. Lower bits are better.
int64_t best_target() {
  const int64_t targets = hwy::SupportedTargets() & HWY_TARGETS;
  return targets & -targets;
}

/// Highway's name of it, but for its own names of AVX-512.
std::string extensions() {
  const std::string name = hwy::TargetName(best_target());
  return name.starts_with("AVX3") ? "AVX-512" : name;
}

}  // namespace

void require_supported_cpu() {
  constexpr int64_t kEnough =
      HWY_AVX2 | HWY_AVX3 | HWY_AVX3_DL | HWY_NEON | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128;
  if ((hwy::SupportedTargets() & kEnough) == 0) {
    throw Error(ErrorCode::unsupported,
                "this processor (" + brand() + ", " + extensions() +
                    ") lacks the vector extensions that are needed: AVX2, FMA and F16C, or NEON");
  }
}

std::string describe_cpu() {
  return brand() + ", " + std::to_string(thread_count()) + " threads, " + extensions() +
         (cpu_has_bf16_products() ? ", bf16 products" : "");
}

bool cpu_has_bf16_products() {
  constexpr auto kBf16 = static_cast<unsigned>(dnnl::cpu_isa::avx512_core_bf16);
  return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & kBf16) == kBf16;
}

}  // namespace kvzip
