// libFuzzer target for the safetensors reader. Small enough to need no build file; with clang 16, from the repository's
// root:
//   clang++-16 -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/safetensors_fuzz.cpp
//     kvzip/base/{quote,mapped_file}.cpp kvzip/model/{safetensors,safetensors_header,gguf_reader}.cpp -lfmt
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
