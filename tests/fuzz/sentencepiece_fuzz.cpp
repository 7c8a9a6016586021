// libFuzzer target for SentencePiece .model files: what can be opened also encodes and decodes.
#include <cstddef>
#include <cstdint>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/sentencepiece_model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = kvzip::parse_sentencepiece_model("fuzz", bytes);
    tokenizer->decode(tokenizer->encode("ab  <s> #x\u00E9\xFF\u2581z " + std::string(bytes.substr(0, 200))));
  } catch (const kvzip::Error&) {
    return 0;
  }
  return 0;
}
