#include "kvzip/model/model_files.h"

#include <filesystem>
#include <utility>

#include "kvzip/model/gguf_vocabulary.h"
#include "kvzip/model/hf_tokenizer.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

namespace kvzip {
namespace {

bool is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

}  // namespace

ModelFiles open_model_files(const std::string& path) {
  return is_folder(path) ? hf_model_files(path) : gguf_model_files(Gguf::open(path));
}

ModelFiles gguf_model_files(Gguf file) {
  ModelFiles files;
  files.config = read_config(file);
  files.tokenizer = make_tokenizer(gguf_vocabulary(file));
  files.config.vocab = files.tokenizer->vocab_size();
  const auto opening = file.find_uint("tokenizer.ggml.bos_token_id");
  if (opening && *opening < files.config.vocab && file.find_bool("tokenizer.ggml.add_bos_token").value_or(false))
    files.opening_token = static_cast<TokenId>(*opening);
  files.weights = std::make_unique<Gguf>(std::move(file));
  return files;
}

std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path) {
  if (!is_folder(path)) {
    if (path.ends_with(".json")) return read_tokenizer_json(path);
    if (path.ends_with(".model")) return read_sentencepiece_model(path);
    return make_tokenizer(gguf_vocabulary(Gguf::open(path)));
  }
  std::unique_ptr<Tokenizer> tokenizer = load_hf_tokenizer(path);
  if (tokenizer == nullptr) throw_no_tokenizer(path);
  return tokenizer;
}

}  // namespace kvzip
