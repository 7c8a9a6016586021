#include "kvzip/stages/gate.h"

#include <algorithm>
#include <cmath>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

// Far beyond any logarithm of a share; keeps a gate's wildest guess a number.
constexpr float kMostLog = 60;

}  // namespace

void AttentionNorm::apply(Backend& backend, const ConstView& hidden, const View& out) const {
  if (layer_norm) {
    backend.layer_norm(hidden, weights.weight, weights.bias, eps, out);
  } else {
    backend.rms_norm(hidden, weights.weight, eps, out);
  }
}

AttentionNorm attention_norm(const Model& model, size_t layer) {
  return {model.weights().layers[layer].attention_norm, model.config().norm_eps, model.config().arch->layer_norm};
}

Gate::Gate(const Model& model, const AnyGateWeights& weights)
    : backend_(&model.backend()), layers_(gate_layers(model)), kv_heads_(model.config().kv_heads) {
  check(fits(weights, model), "a gate has the model's shape");
  for (const size_t layer : layers_) norms_.push_back(attention_norm(model, layer));
  maps_ = std::visit([&](const auto& each) { return make_gate_maps(*backend_, each); }, weights);
}

// A LayerNorm is done at once, an RMS norm is left to the product.
void Gate::apply(size_t scored, const ConstView& hidden, GateRoom& room, const View& out) const {
  const AttentionNorm& norm = norms_[scored];
  const View normed = room_for(room.normed, *backend_, backend_->activation_type(), hidden.rows, hidden.cols);
  if (norm.layer_norm) norm.apply(*backend_, hidden, normed);
  const LinearInput in =
      norm.layer_norm ? LinearInput(normed) : LinearInput(hidden, norm.weights.weight, norm.eps, normed);
  maps_[scored]->apply(*backend_, in, room, out);
}

GateScores::GateScores(const Gate& gate, size_t first, size_t len)
    : gate_(&gate),
      first_(first),
      len_(len),
      logs_(gate.backend(), DType::f32, gate.layers().size() * len, gate.kv_heads()) {}

void GateScores::see(const LayerInput& input) {
  const auto found = std::ranges::find(gate_->layers(), input.layer);
  const size_t begin = std::max(first_, input.first_position);
  const size_t end = std::min(first_ + len_, input.first_position + input.hidden.rows);
  if (found == gate_->layers().end() || begin >= end) return;
  const auto scored = static_cast<size_t>(found - gate_->layers().begin());
  gate_->apply(scored, rows_of(input.hidden, begin - input.first_position, end - begin), room_,
               rows_of(logs_.view(), scored * len_ + begin - first_, end - begin));
}

ScoresFn GateScores::download() const {
  const size_t layers = gate_->layers().size(), heads = gate_->kv_heads(), len = len_;
  std::vector<float> logs(layers * heads * len);  // as Scores, but for the order of heads and rows
  gate_->backend().download(logs.data(), logs_.view().data, logs.size() * sizeof(float));
  return [logs = std::move(logs), layers, heads, len] {
    Scores scores(layers, heads, len);
    parallel_ranges(layers * heads, 1, [&](size_t begin, size_t end) {
      for (size_t i = begin; i < end; ++i) {
        const auto row = scores.row(i / heads, i % heads);
        const float* const of_layer = logs.data() + i / heads * len * heads + i % heads;
        for (size_t at = 0; at < len; ++at) {
          const float log = of_layer[at * heads];
          row[at] = std::isfinite(log) ? std::exp(std::clamp(log, -kMostLog, kMostLog)) : 0;
        }
      }
    });
    return scores;
  };
}

GatedReading prefill_gated(const Model& model, const Gate& gate, std::vector<TokenId> system,
                           std::vector<TokenId> document, const PrefillOptions& options) {
  require_context(model, system.size(), document.size());
  GateScores scores(gate, system.size(), document.size());
  PrefillOptions observed = options;
  observed.observe = scores.observe();
  Reading reading = prefill_ids(model, std::move(system), std::move(document), observed);
  return {std::move(reading), scores.take()};
}

}  // namespace kvzip
