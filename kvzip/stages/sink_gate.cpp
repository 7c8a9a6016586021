// Fast KVzip's gates. The device makes queries and keys, which is nearly all of the work; a few hundred products of
// short vectors are left for each token, and done on the host while the batch's layer waits.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "kvzip/base/parallel.h"
#include "kvzip/stages/gate_map.h"

namespace kvzip {
namespace {

constexpr float kEpsilon = 1e-6F;

float sum_of_products(const float* a, const float* b, size_t count) {
  return std::inner_product(a, a + count, b, 0.0F);
}

/// Each `gain.size()` values of `rows` after an RMS norm.
void norm_rows(std::span<float> rows, const std::vector<float>& gain) {
  for (size_t at = 0; at < rows.size(); at += gain.size()) {
    float* const row = rows.data() + at;
    const float scale =
        1 / std::sqrt(sum_of_products(row, row, gain.size()) / static_cast<float>(gain.size()) + kEpsilon);
    for (size_t i = 0; i < gain.size(); ++i) row[i] *= scale * gain[i];
  }
}

class SinkGateMap final : public GateMap {
 public:
  SinkGateMap(Backend& backend, const SinkGateWeights& weights, const SinkGateWeights::Layer& layer)
      : dim_(weights.dim),
        group_(weights.group),
        heads_(layer.keys.out / weights.dim),
        queries_(backend, layer.queries),
        keys_(backend, layer.keys),
        q_norm_(layer.q_norm),
        k_norm_(layer.k_norm),
        sinks_(layer.sinks),
        offsets_(layer.offsets) {}

  void apply(Backend& backend, const LinearInput& in, GateRoom& room, const View& out) const override {
    const size_t rows = in.x.rows;
    const size_t query_values = heads_ * group_ * dim_;
    const size_t key_values = heads_ * dim_;
    const View queries = room_for(room.hidden, backend, DType::f32, rows, query_values);
    const View keys = room_for(room.keys, backend, DType::f32, rows, key_values);
    backend.linear(in, std::array{queries_.part(queries), keys_.part(keys)});
    room.host.resize(rows * (query_values + key_values + heads_));
    const std::span all(room.host);
    const auto q = all.first(rows * query_values);
    const auto k = all.subspan(q.size(), rows * key_values);
    const auto logs = all.subspan(q.size() + k.size());
    backend.download(q.data(), queries.data, q.size_bytes());
    backend.download(k.data(), keys.data, k.size_bytes());
    constexpr size_t kGrain = 16;
    parallel_ranges(rows, kGrain, [&](size_t begin, size_t end) {
      for (size_t row = begin; row < end; ++row) {
        log_scores(q.subspan(row * query_values, query_values), k.subspan(row * key_values, key_values),
                   logs.subspan(row * heads_, heads_));
      }
    });
    backend.upload(out.data, logs.data(), logs.size_bytes());
  }

 private:
  void log_scores(std::span<float> queries, std::span<float> keys, std::span<float> logs) const {
    norm_rows(queries, q_norm_);
    norm_rows(keys, k_norm_);
    for (size_t head = 0; head < heads_; ++head) {
      float sum = 0;
      for (size_t g = head * group_; g < (head + 1) * group_; ++g)
        sum += share(queries.data() + g * dim_, keys.data() + head * dim_, head, offsets_[g]);
      logs[head] = std::log(sum / static_cast<float>(group_));
    }
  }

  /// Of the token's own key in the attention of one of its queries.
  float share(const float* query, const float* key, size_t head, float offset) const {
    const float scale = 1 / std::sqrt(static_cast<float>(dim_));
    const float own = scale * sum_of_products(key, query, dim_) + offset;
    const size_t values = sinks_.size() / heads_;
    float others = 0;
    for (size_t at = head * values; at < (head + 1) * values; at += dim_)
      others += std::exp(scale * sum_of_products(sinks_.data() + at, query, dim_) - own);
    return 1 / (1 + others);
  }

  size_t dim_, group_, heads_;
  DeviceProduct queries_, keys_;
  std::vector<float> q_norm_, k_norm_, sinks_, offsets_;
};

}  // namespace

GateMaps make_gate_maps(Backend& backend, const SinkGateWeights& weights) {
  GateMaps maps;
  for (const SinkGateWeights::Layer& layer : weights.layers)
    maps.push_back(std::make_unique<SinkGateMap>(backend, weights, layer));
  return maps;
}

}  // namespace kvzip
