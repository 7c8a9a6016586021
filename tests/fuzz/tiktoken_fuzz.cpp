// libFuzzer target for .tiktoken files: what can be opened also encodes and decodes.
#include <cstddef>
#include <cstdint>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/tiktoken.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  static const kvzip::TiktokenOptions kOptions{
      .name = "fuzz", .pattern = R"( ?\p{L}+|\s+)", .special_tokens = {{"<s>", 300}}};
  try {
    const auto tokenizer = kvzip::parse_tiktoken("fuzz", bytes, kOptions);
    tokenizer->decode(tokenizer->encode("ab  <s> \xFF " + std::string(bytes.substr(0, 200))));
  } catch (const kvzip::Error&) {
    return 0;
  }
  return 0;
}
