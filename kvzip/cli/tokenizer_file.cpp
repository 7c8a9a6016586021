#include "kvzip/cli/tokenizer_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "kvzip/base/error.h"
#include "kvzip/model/model_files.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/formats/tiktoken.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

namespace kvzip::cli {

std::unique_ptr<Tokenizer> read_tokenizer(const std::string& path, const std::string& encoding) {
  const std::filesystem::path file(path);
  const std::string extension = file.extension().string();
  if (extension == ".tiktoken")
    return read_tiktoken(path, tiktoken_options(encoding.empty() ? file.stem().string() : encoding));
  if (!encoding.empty())
    throw Error(ErrorCode::usage, fmt::format("--encoding: only for .tiktoken files, found {}", path));
  if (extension == ".json") return read_tokenizer_json(path);
  if (extension == ".model") return read_sentencepiece_model(path);
  if (extension == ".gguf") return load_tokenizer(path);
  throw Error(ErrorCode::usage,
              fmt::format("--tokenizer: expected a .json, .model, .tiktoken or .gguf file, found {}", path));
}

}  // namespace kvzip::cli
