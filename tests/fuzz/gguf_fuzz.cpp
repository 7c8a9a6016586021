// libFuzzer target for the GGUF reader. Small enough to need no build file; with clang 16, from the repository's root:
//   clang++-16 -std=c++20 -O1 -g -fsanitize=fuzzer,address,undefined -I. tests/fuzz/gguf_fuzz.cpp
//     kvzip/base/{quote,mapped_file}.cpp kvzip/model/gguf{,_parse,_reader,_tensors,_values}.cpp kvzip/tensor/dtype.cpp
//     -lfmt
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
