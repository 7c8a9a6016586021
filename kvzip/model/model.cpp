#include "kvzip/model/model.h"

#include <algorithm>
#include <utility>

#include "kvzip/model/hf_tokenizer.h"
#include "kvzip/model/padded_tokenizer.h"
#include "kvzip/model/share.h"

namespace kvzip {

Model Model::load(const std::string& path, Backend& backend, const ModelOptions& options) {
  return from_files(open_model_files(path), backend, options);
}

Model Model::from_files(ModelFiles files, Backend& backend, const ModelOptions& options) {
  Model model;
  model.source_ = std::move(files.weights);
  model.backend_ = &backend;
  model.group_ = options.group;
  model.config_ = std::move(files.config);
  if (options.rope_scaling) apply_rope_option(*options.rope_scaling, model.config_);
  const Share share = model.group_ == nullptr ? Share{} : Share{model.group_->rank(), model.group_->size()};
  model.config_ = share_of(model.config_, share, model.source_->path());
  const size_t vocab = model.config_.vocab;
  model.tokenizer_ = std::move(files.tokenizer);
  model.spelled_tokens_ = vocab;
  if (model.has_tokenizer() && model.tokenizer_->vocab_size() != vocab) {
    model.spelled_tokens_ = std::min(vocab, model.tokenizer_->vocab_size());
    model.tokenizer_ = std::make_unique<PaddedTokenizer>(std::move(model.tokenizer_), vocab);
  }
  model.weights_ = load_weights(*model.source_, model.config_, backend, {options.weights, share});
  model.stop_tokens_ = std::move(files.stop_tokens);
  model.opening_token_ = files.opening_token;
  if (!options.chat_template.empty()) {
    model.template_ = &find_template(options.chat_template);
  } else {
    model.template_ =
        model.has_tokenizer() ? &guess_template(*model.tokenizer_, model.config_.arch->name) : &find_template("plain");
  }
  if (!model.has_tokenizer()) return model;
  for (const TokenId id : kvzip::stop_tokens(*model.tokenizer_)) {
    if (std::ranges::find(model.stop_tokens_, id) == model.stop_tokens_.end()) model.stop_tokens_.push_back(id);
  }
  return model;
}

const Tokenizer& Model::tokenizer() const {
  if (tokenizer_ == nullptr) throw_no_tokenizer(source_->path());
  return *tokenizer_;
}

CacheShape Model::cache_shape(DType kv_type) const {
  CacheShape shape{.kv_heads = config_.kv_heads,
                   .head_dim = config_.head_dim,
                   .windows = std::vector<size_t>(config_.kv_layers()),
                   .dtype = kv_type};
  for (size_t layer = 0; layer < config_.layers; ++layer)
    shape.windows[config_.kv_layer(layer)] = config_.windows[layer];
  return shape;
}

}  // namespace kvzip
