// libFuzzer target for the safetensors reader (scripts/fuzz).
#include <cstddef>
#include <cstdint>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    kvzip::parse_safetensors("fuzz", std::as_bytes(std::span(data, size)));
  } catch (const kvzip::Error&) {
    return 0;
  }
  return 0;
}
