// The attention part of a layer: queries, keys and values from its input, and back into the residual stream.
#include <array>

#include "kvzip/model/forward.h"

namespace kvzip {

// Queries of the last `in` rows; keys and values too, where the layer has its own.
void Forward::project(size_t index, size_t in) {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  const LayerWeights& weights = model_->weights().layers[index];
  const bool own_kv = index < config.own_kv_layers;
  const View q = last(q_, in), k = k_.view(in), v = v_.view(in);

  const std::array parts{LinearPart{weights.q, weights.q_bias, q, false},
                         LinearPart{weights.k, weights.k_bias, k, false},
                         LinearPart{weights.v, weights.v_bias, v, false}};
  backend.linear(normed_input(last(x_, in), weights.attention_norm), std::span(parts).first(own_kv ? 3 : 1));
  if (config.arch->qk_norm) {
    const auto by_head = [&](const View& view) {
      return View{view.data, view.dtype, view.rows * view.cols / config.head_dim, config.head_dim,
                  row_bytes(view.dtype, config.head_dim)};
    };
    backend.rms_norm(by_head(q), weights.q_norm, config.norm_eps, by_head(q));
    if (own_kv) backend.rms_norm(by_head(k), weights.k_norm, config.norm_eps, by_head(k));
  }
  rotate(q, index);
  if (own_kv) rotate(k, index);
}

void Forward::append(size_t kv_layer, const View& k, const View& v) {
  if (tails_.size() == 1) return tails_[0]->append(kv_layer, k, v);
  for (size_t i = 0; i < tails_.size(); ++i) tails_[i]->append(kv_layer, rows_of(k, i, 1), rows_of(v, i, 1));
}

// Keys and values of all layers that have none of their own, from what left the layers that do.
void Forward::append_shared_kv() {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  if (config.own_kv_layers == config.layers) return;
  const View normed = normed_.view(rows_), k = k_.view(rows_), v = v_.view(rows_);
  backend.rms_norm(x_.view(rows_), model_->weights().shared_kv_norm, config.norm_eps, normed);
  for (size_t index = config.own_kv_layers; index < config.layers; index += config.kv_group) {
    const LayerWeights& weights = model_->weights().layers[index];
    backend.linear(normed, std::array{LinearPart{weights.k, weights.k_bias, k, false},
                                      LinearPart{weights.v, weights.v_bias, v, false}});
    rotate(k, index);
    append(config.kv_layer(index), k, v);
  }
}

void Forward::rotate(const View& x, size_t layer) {
  const ModelConfig& config = model_->config();
  if (config.arch->learned_positions) return;
  const Tensor& angles = config.windows[layer] == 0 || !config.local_rope ? cos_sin_ : local_cos_sin_;
  model_->backend().rope(x, config.head_dim, last(angles, x.rows), config.rope_pairing);
}

void Forward::attend(const Batch& batch, size_t index, size_t in, size_t out) {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  const LayerWeights& weights = model_->weights().layers[index];
  const size_t kv_layer = config.kv_layer(index);
  const ScoreRequest* score = batch.score ? batch.score(kv_layer) : nullptr;
  if (out == 0 && score == nullptr) return;
  const size_t queries = score != nullptr ? in : out;  // scoring needs every query of the batch
  segments_.clear();
  if (batch.past) batch.past(kv_layer, segments_);
  AttendArgs args{.q = last(q_, queries),
                  .first_position = first_position_ + rows_ - queries,
                  .kv_heads = config.kv_heads,
                  .head_dim = config.head_dim,
                  .scale = config.attention_scale,
                  .window = config.windows[index],
                  .segments = {},
                  .out = last(attended_, queries),
                  .score = score};
  if (tails_.size() == 1) {
    segments_.push_back(tails_[0]->segment(kv_layer));
    segments_.back().positional = !config.arch->bidirectional;
    args.segments = segments_;
    backend.attend(args);
  } else {
    attend_each(args, kv_layer);
  }
  if (out == 0) return;
  add_product(last(attended_, out), weights.o, weights.o_bias, weights.post_attention_norm);
  norm_sum(last(x_, out), weights.attention_norm);
}

// One row for each conversation: the past is the same for all, the tail its own.
void Forward::attend_each(const AttendArgs& all, size_t kv_layer) {
  std::vector<std::vector<Segment>> segments(tails_.size(), segments_);
  std::vector<AttendArgs> calls(tails_.size(), all);
  for (size_t i = 0; i < calls.size(); ++i) {
    segments[i].push_back(tails_[i]->segment(kv_layer));
    calls[i].q = rows_of(all.q, i, 1);
    calls[i].out = rows_of(all.out, i, 1);
    calls[i].first_position = tail_ends_[i];
    calls[i].segments = segments[i];
  }
  model_->backend().attend_together(calls);
}

}  // namespace kvzip
