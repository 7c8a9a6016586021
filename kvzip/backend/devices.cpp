// Backends by name.
#include <string>

#include "kvzip/backend/backend.h"
#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"

namespace kvzip {

std::unique_ptr<Backend> make_backend(std::string_view device) {
  if (device == "cpu") return make_cpu_backend();
  if (device == "cuda") return make_cuda_backend();
  constexpr std::string_view kNumbered = "cuda:";
  if (device.starts_with(kNumbered)) {
    const auto index = parse_number<size_t>(device.substr(kNumbered.size()));
    if (index) return make_cuda_backend(*index);
  }
  throw Error(ErrorCode::usage, "device '" + std::string(device) + "': expected cpu, cuda or cuda:N");
}

}  // namespace kvzip
