// A loaded model: configuration, weights, tokenizer, chat template. Immutable; used with the backend it was loaded for.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/backend/group.h"
#include "kvzip/cache/shape.h"
#include "kvzip/model/config.h"
#include "kvzip/model/model_files.h"
#include "kvzip/model/rope_option.h"
#include "kvzip/model/weights.h"
#include "kvzip/text/chat_template.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct ModelOptions {
  WeightMode weights = WeightMode::stored;
  std::string chat_template{};               ///< name of a template; empty = by the model's special tokens
  std::optional<RopeOption> rope_scaling{};  ///< none = as the files say
  Group* group = nullptr;                    ///< of devices that share the model; null = one device has all of it
};

class Model {
 public:
  /// Loads a GGUF file or a Hugging Face folder. Throws Error naming the file and what is wrong with it. `backend` must
  /// outlive the model.
  static Model load(const std::string& path, Backend& backend, const ModelOptions& options = {});
  /// The same from files that are already open. Where several devices share the model, their number must divide its KV
  /// heads and feed-forward width, else Error{unsupported}; the group must outlive the model.
  static Model from_files(ModelFiles files, Backend& backend, const ModelOptions& options = {});

  Backend& backend() const { return *backend_; }
  /// Of what this device computes: its own heads and its part of the feed-forward width.
  const ModelConfig& config() const { return config_; }
  /// Devices that share the model, and the means to exchange data with them: null where there is one.
  size_t ranks() const { return group_ == nullptr ? 1 : group_->size(); }
  Group* group() const { return group_; }
  const Weights& weights() const { return weights_; }
  /// A folder without a tokenizer works on token ids alone: then tokenizer() throws Error{input}.
  bool has_tokenizer() const { return tokenizer_ != nullptr; }
  const Tokenizer& tokenizer() const;
  /// Tokens that stand for something: those after them are rows that only make the vocabulary a round number, and are
  /// never an answer.
  size_t spelled_tokens() const { return spelled_tokens_; }
  const ChatTemplate& chat_template() const { return *template_; }
  /// Tokens that end an answer.
  const std::vector<TokenId>& stop_tokens() const { return stop_tokens_; }
  /// The token that every text begins with, where the model was trained so.
  std::optional<TokenId> opening_token() const { return opening_token_; }
  /// The files that the weights are in.
  const TensorSource& source() const { return *source_; }
  CacheShape cache_shape(DType kv_type) const;

 private:
  Model() = default;

  std::unique_ptr<TensorSource> source_;  // weights point into its mappings
  Backend* backend_ = nullptr;
  Group* group_ = nullptr;
  ModelConfig config_;
  Weights weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  size_t spelled_tokens_ = 0;
  const ChatTemplate* template_ = nullptr;
  std::vector<TokenId> stop_tokens_;
  std::optional<TokenId> opening_token_;
};

}  // namespace kvzip
