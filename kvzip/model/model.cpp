#include "kvzip/model/model.h"

#include <utility>

#include "kvzip/model/gguf_vocabulary.h"

namespace kvzip {

Model Model::load(const std::string& path, Backend& backend, const ModelOptions& options) {
  return from_gguf(Gguf::open(path), backend, options);
}

Model Model::from_gguf(Gguf file, Backend& backend, const ModelOptions& options) {
  Model model;
  model.file_ = std::make_unique<Gguf>(std::move(file));
  model.backend_ = &backend;
  model.config_ = read_config(*model.file_);
  model.tokenizer_ = make_tokenizer(gguf_vocabulary(*model.file_));
  model.config_.vocab = model.tokenizer_->vocab_size();
  model.weights_ = load_weights(*model.file_, model.config_, backend, options.weights);
  model.template_ = options.chat_template.empty() ? &guess_template(*model.tokenizer_, model.config_.arch->name)
                                                  : &find_template(options.chat_template);
  model.stop_tokens_ = kvzip::stop_tokens(*model.tokenizer_);
  return model;
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
