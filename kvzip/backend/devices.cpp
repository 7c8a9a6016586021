// Backends by name.
#include <charconv>
#include <string>

#include "kvzip/backend/backend.h"
#include "kvzip/base/error.h"

namespace kvzip {

std::unique_ptr<Backend> make_backend(std::string_view device) {
  if (device == "cpu") return make_cpu_backend();
  if (device == "cuda") return make_cuda_backend();
  constexpr std::string_view kNumbered = "cuda:";
  if (device.starts_with(kNumbered)) {
    const std::string_view digits = device.substr(kNumbered.size());
    size_t index = 0;
    const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (failure == std::errc() && end == digits.data() + digits.size()) return make_cuda_backend(index);
  }
  throw Error(ErrorCode::usage, "device '" + std::string(device) + "': expected cpu, cuda or cuda:N");
}

}  // namespace kvzip
