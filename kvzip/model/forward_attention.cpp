// The attention part of a layer: queries, keys and values from its input, and back into the residual stream.
#include <algorithm>
#include <array>

#include "kvzip/model/forward.h"

namespace kvzip {

// Queries of the last `in` rows, ready for attention; keys and values go to the cache, where the layer has its own.
void Forward::project(size_t index, size_t in) {
  const LayerWeights& weights = model_->weights().layers[index];
  const size_t stored = index < model_->config().own_kv_layers ? in : 0;
  const View q = last(q_, in), k = rows_of(k_, 0, stored), v = rows_of(v_, 0, stored);
  const std::array parts{LinearPart{weights.q, weights.q_bias, q, false},
                         LinearPart{weights.k, weights.k_bias, k, false},
                         LinearPart{weights.v, weights.v_bias, v, false}};
  model_->backend().linear(normed_input(last(x_, in), weights.attention_norm),
                           std::span(parts).first(stored > 0 ? 3 : 1));
  prepare_heads(index, index, q, k, v);
}

// Norms of heads and rotation; k and v, where they have rows, become the last ones of that KV layer.
void Forward::prepare_heads(size_t index, size_t kv_layer, const View& q, const View& k, const View& v) {
  const ModelConfig& config = model_->config();
  const LayerWeights& weights = model_->weights().layers[index];
  HeadRows rows{.q = q, .k = k, .v = v, .head_dim = config.head_dim, .pairing = config.rope_pairing};
  if (config.arch->qk_norm) {
    rows.q_norm = weights.q_norm;
    rows.k_norm = weights.k_norm;
    rows.eps = config.norm_eps;
  }
  if (!config.arch->learned_positions) {
    const Tensor& angles = config.windows[index] == 0 || !config.local_rope ? cos_sin_ : local_cos_sin_;
    rows.cos_sin = last(angles.view(), std::max(q.rows, k.rows));
  }
  if (k.rows > 0) {
    rows.heads = extend_tails(kv_layer);
    rows.dtype = tails_[0]->shape().dtype;
  }
  model_->backend().prepare_heads(rows);
}

// Room for the batch's rows: heads of the one tail, or of all tails after each other, a row for each.
std::span<const KvRows> Forward::extend_tails(size_t kv_layer) {
  if (tails_.size() == 1) return tails_[0]->extend(kv_layer, rows_);
  heads_of_tails_.clear();
  for (Tail* const tail : tails_) {
    const std::span<const KvRows> heads = tail->extend(kv_layer, 1);
    heads_of_tails_.insert(heads_of_tails_.end(), heads.begin(), heads.end());
  }
  return heads_of_tails_;
}

// Keys and values of all layers that have none of their own, from what left the layers that do.
void Forward::make_shared_kv() {
  Backend& backend = model_->backend();
  const ModelConfig& config = model_->config();
  if (config.own_kv_layers == config.layers) return;
  const View normed = normed_.view(rows_), k = rows_of(k_, 0, rows_), v = rows_of(v_, 0, rows_);
  backend.rms_norm(x_.view(rows_), model_->weights().shared_kv_norm, config.norm_eps, normed);
  for (size_t index = config.own_kv_layers; index < config.layers; index += config.kv_group) {
    const LayerWeights& weights = model_->weights().layers[index];
    backend.linear(normed, std::array{LinearPart{weights.k, weights.k_bias, k, false},
                                      LinearPart{weights.v, weights.v_bias, v, false}});
    prepare_heads(index, config.kv_layer(index), {}, k, v);
  }
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
