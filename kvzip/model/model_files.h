// What the files of a model hold, before a backend has it: one shape for all formats. Stateless functions.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/model/config.h"
#include "kvzip/model/gguf.h"
#include "kvzip/model/tensor_source.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct ModelFiles {
  std::unique_ptr<TensorSource> weights;
  ModelConfig config;
  std::unique_ptr<Tokenizer> tokenizer;  ///< null where the files have none
  std::vector<TokenId> stop_tokens;      ///< that the files name, beside those that are known by their spelling
  std::optional<TokenId> opening_token;  ///< that every text begins with, where the model was trained so
};

/// Opens a GGUF file or a Hugging Face folder. Throws Error naming the file and what is wrong with it.
ModelFiles open_model_files(const std::string& path);
ModelFiles gguf_model_files(Gguf file);
ModelFiles hf_model_files(const std::string& folder);

/// The tokenizer alone: of a GGUF file or a folder, or a file tokenizer.json or tokenizer.model (by their endings).
/// Throws Error{input} where there is none, naming what was looked for.
std::unique_ptr<Tokenizer> load_tokenizer(const std::string& path);

}  // namespace kvzip
