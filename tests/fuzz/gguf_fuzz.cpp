// libFuzzer target for the GGUF reader (scripts/fuzz).
#include <cstddef>
#include <cstdint>

#include "kvzip/base/error.h"
#include "kvzip/model/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const kvzip::Gguf gguf = kvzip::Gguf::from_bytes("fuzz", std::as_bytes(std::span(data, size)));
    for (const auto name : gguf.tensor_names()) gguf.has_tensor(name) && gguf.tensor(name).data.empty();
    for (const auto key : gguf.keys()) gguf.strings(key);
  } catch (const kvzip::Error&) {
    return 0;
  }
  return 0;
}
