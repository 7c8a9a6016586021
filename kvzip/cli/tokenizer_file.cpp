#include "kvzip/cli/tokenizer_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "kvzip/base/error.h"
#include "kvzip/model/gguf_vocabulary.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/pipeline/tokenizer_json.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip::cli {

std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".json") return read_tokenizer_json(path);
  if (extension == ".model") return read_sentencepiece_model(path);
  if (extension == ".gguf") return make_tokenizer(gguf_vocabulary(Gguf::open(path)));
  throw Error(ErrorCode::usage, fmt::format("--tokenizer: expected a .json, .model or .gguf file, found {}", path));
}

}  // namespace kvzip::cli
