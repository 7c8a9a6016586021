// A group of CPU backends, in threads or processes: sums through shared memory. There to compute what several GPUs
// would where there are none; it makes no CPU faster.
#include <algorithm>
#include <cstring>

#include "kvzip/backend/group.h"
#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr size_t kSlotValues = RankMemory::kSlotBytes / sizeof(float);

class CpuGroup final : public Group {
 public:
  CpuGroup(RankMemory& memory, size_t rank) : Group(memory, rank) {}

  // Every rank adds in the order of the ranks, so that all get the same bits.
  void all_reduce(const View& x) override {
    check(x.dtype == DType::f32 && x.stride == x.cols * sizeof(float), "all_reduce: contiguous rows of f32");
    auto* const values = static_cast<float*>(x.data);
    const size_t count = x.rows * x.cols;
    for (size_t begin = 0; begin < count; begin += kSlotValues) {
      float* const sums = values + begin;
      const size_t part = std::min(kSlotValues, count - begin);
      std::memcpy(memory().slot(rank()), sums, part * sizeof(float));
      memory().meet();
      std::memcpy(sums, memory().slot(0), part * sizeof(float));
      for (size_t from = 1; from < size(); ++from) {
        const auto* const more = reinterpret_cast<const float*>(memory().slot(from));
        for (size_t i = 0; i < part; ++i) sums[i] += more[i];
      }
      memory().meet();
    }
  }

  void all_gather(const void* part, void* all, size_t bytes) override {
    gather_on_host({static_cast<const std::byte*>(part), bytes}, {static_cast<std::byte*>(all), size() * bytes});
  }
};

}  // namespace

std::unique_ptr<Group> make_cpu_group(RankMemory& memory, size_t rank) {
  return std::make_unique<CpuGroup>(memory, rank);
}

}  // namespace kvzip
