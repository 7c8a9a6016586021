// A loaded model: configuration, weights, tokenizer, chat template. Immutable; used with the backend it was loaded for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/shape.h"
#include "kvzip/model/config.h"
#include "kvzip/model/gguf.h"
#include "kvzip/model/weights.h"
#include "kvzip/text/chat_template.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct ModelOptions {
  WeightMode weights = WeightMode::stored;
  std::string chat_template{};  ///< name of a template; empty = by the model's special tokens
};

class Model {
 public:
  /// Loads a GGUF file. Throws Error naming the file and what is wrong with it. `backend` must outlive the model.
  static Model load(const std::string& path, Backend& backend, const ModelOptions& options = {});
  /// The same from a file that is already open.
  static Model from_gguf(Gguf file, Backend& backend, const ModelOptions& options = {});

  Backend& backend() const { return *backend_; }
  const ModelConfig& config() const { return config_; }
  const Weights& weights() const { return weights_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const ChatTemplate& chat_template() const { return *template_; }
  /// Tokens that end an answer.
  const std::vector<TokenId>& stop_tokens() const { return stop_tokens_; }
  const Gguf& file() const { return *file_; }
  CacheShape cache_shape(DType kv_type) const;

 private:
  Model() = default;

  std::unique_ptr<Gguf> file_;  // weights point into its mapping
  Backend* backend_ = nullptr;
  ModelConfig config_;
  Weights weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  const ChatTemplate* template_ = nullptr;
  std::vector<TokenId> stop_tokens_;
};

}  // namespace kvzip
