#include "kvzip/stages/shared_heads.h"

#include <algorithm>
#include <numeric>
#include <span>

#include "kvzip/base/check.h"

namespace kvzip {

CacheShape whole_shape(const Model& model, CacheShape own) {
  own.kv_heads *= model.ranks();
  return own;
}

Scores whole_scores(const Model& model, Scores own) {
  Group* const group = model.group();
  if (group == nullptr) return own;
  std::vector<float> parts(group->size() * own.values.size());
  group->gather_on_host(std::as_bytes(std::span(own.values)), std::as_writable_bytes(std::span(parts)));
  Scores whole(own.layers, own.kv_heads * group->size(), own.len);
  const size_t layer_values = own.kv_heads * own.len;  // of one device
  for (size_t rank = 0; rank < group->size(); ++rank) {
    for (size_t layer = 0; layer < own.layers; ++layer) {
      const auto from = std::span(parts).subspan((rank * own.layers + layer) * layer_values, layer_values);
      std::ranges::copy(
          from, whole.values.begin() + static_cast<std::ptrdiff_t>((layer * group->size() + rank) * layer_values));
    }
  }
  return whole;
}

Scores own_scores(const Model& model, Scores whole) {
  const Group* const group = model.group();
  if (group == nullptr) return whole;
  check(whole.kv_heads % group->size() == 0, "scores are of all heads of the model");
  Scores own(whole.layers, whole.kv_heads / group->size(), whole.len);
  for (size_t layer = 0; layer < own.layers; ++layer) {
    for (size_t head = 0; head < own.kv_heads; ++head)
      std::ranges::copy(whole.row(layer, group->rank() * own.kv_heads + head), own.row(layer, head).begin());
  }
  return own;
}

Keep own_keep(const Model& model, const Keep& whole) {
  const Group* const group = model.group();
  if (group == nullptr) return whole;
  check(whole.kv_heads % group->size() == 0, "a keep is of all heads of the model");
  Keep own{whole.layers, whole.kv_heads / group->size(), whole.len, {}};
  for (size_t layer = 0; layer < own.layers; ++layer) {
    for (size_t head = 0; head < own.kv_heads; ++head)
      own.rows.push_back(whole.at(layer, group->rank() * own.kv_heads + head));
  }
  return own;
}

size_t least_of_devices(const Model& model, size_t bytes) {
  return model.group() == nullptr ? bytes : std::ranges::min(model.group()->gather(bytes));
}

size_t sum_of_devices(const Model& model, size_t bytes) {
  if (model.group() == nullptr) return bytes;
  const std::vector<uint64_t> all = model.group()->gather(bytes);
  return std::accumulate(all.begin(), all.end(), size_t{0});
}

}  // namespace kvzip
