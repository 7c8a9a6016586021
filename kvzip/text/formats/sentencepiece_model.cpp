#include "kvzip/text/formats/sentencepiece_model.h"

#include "kvzip/base/error.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/text/formats/sentencepiece_tokenizer.h"

namespace kvzip {

std::unique_ptr<Tokenizer> parse_sentencepiece_model(std::string_view name, std::string_view bytes,
                                                     const SentencePieceOptions& options) {
  SentencePieceSpec spec = parse_sentencepiece_spec(name, bytes);
  try {
    return std::make_unique<SentencePieceTokenizer>(std::move(spec), options);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(name) + ": " + error.what());
  }
}

std::unique_ptr<Tokenizer> read_sentencepiece_model(const std::string& path, const SentencePieceOptions& options) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return parse_sentencepiece_model(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options);
}

}  // namespace kvzip
