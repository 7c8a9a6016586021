// libFuzzer target for the tokenizer.json reader, and for what its tokenizers do with a text (scripts/fuzz).
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "kvzip/base/error.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const auto tokenizer = kvzip::parse_tokenizer_json("fuzz", {reinterpret_cast<const char*>(data), size});
    const auto ids = tokenizer->encode("Ab <s> e\u0301\u4E2D 12\xF0\x9F");
    tokenizer->decode(tokenizer->with_special_tokens(ids, ids));
    tokenizer->verbatim(ids);
  } catch (const kvzip::Error&) {
    return 0;
  }
  return 0;
}
