#include "kvzip/stages/memory.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "kvzip/base/error.h"
#include "kvzip/cache/kept_rows.h"
#include "kvzip/stages/reconstruct.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip {
namespace {

// Room for the libraries' own scratch: dequantised tiles, packed panels, stashed logits.
constexpr size_t kScratchBytes = size_t{64} << 20U;

/// Of devices that share a model, what the fullest has left: all must come to the same decisions.
size_t available_memory(const Model& model) { return least_of_devices(model, model.backend().available_memory()); }

size_t layer_bytes(const CacheShape& shape) { return shape.token_bytes() / std::max<size_t>(shape.layers(), 1); }

size_t workspace_bytes(const ModelConfig& config, size_t batch) {
  const size_t activations = 2 * config.hidden + 2 * config.heads * config.head_dim +
                             2 * config.kv_heads * config.head_dim + 2 * config.feed_forward + 2 * config.head_dim;
  return batch * activations * sizeof(float) + config.vocab * sizeof(float) + kScratchBytes;
}

size_t scored_pairs(const CacheShape& shape, size_t tokens) {
  return tokens * shape.global_layers().size() * shape.kv_heads;
}

/// Of all scores, as they are made and as they are used.
size_t score_bytes(const CacheShape& shape, size_t tokens) { return scored_pairs(shape, tokens) * sizeof(float) * 2; }

/// Throws where `tokens` need more than there is; `estimate` says what so many tokens need, and grows with them.
void require_available(const Model& model, size_t tokens, DType kv_type,
                       const std::function<MemoryEstimate(size_t tokens)>& estimate) {
  const size_t available = available_memory(model);
  const MemoryEstimate need = estimate(tokens);
  if (need.total() <= available) return;
  size_t fits = 0;
  size_t beyond = tokens;
  while (beyond - fits > 1) {
    const size_t middle = fits + (beyond - fits) / 2;
    (estimate(middle).total() <= available ? fits : beyond) = middle;
  }
  throw Error(
      ErrorCode::memory,
      fmt::format("memory: {} tokens need {} ({} of them keys and values in {}), {} available; {} tokens would fit",
                  tokens, format_bytes(need.total()), format_bytes(need.kv_bytes), dtype_name(tail_type(kv_type)),
                  format_bytes(available), fits));
}

}  // namespace

MemoryEstimate estimate_memory(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk) {
  const CacheShape shape = model.cache_shape(tail_type(kv_type));
  MemoryEstimate estimate;
  for (const size_t window : shape.windows) {
    estimate.kv_bytes += layer_bytes(shape) * (window == 0 ? tokens : std::min(tokens, window + batch));
  }
  const size_t copied = tokens > chunk ? chunk : 0;  // by local scoring
  estimate.scoring_bytes = (repeat_rows(tokens, chunk) + copied) * shape.token_bytes() + score_bytes(shape, tokens);
  estimate.workspace_bytes = workspace_bytes(model.config(), std::min(tokens, batch));
  return estimate;
}

size_t most_held(const CacheShape& shape, size_t tokens, double ratio) {
  constexpr double kRoom = 1.0 / 32;
  return static_cast<size_t>(static_cast<double>(scored_pairs(shape, tokens)) * ratio * (1 + kRoom));
}

MemoryEstimate estimate_streaming(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk,
                                  double ratio) {
  const CacheShape kept = model.cache_shape(kv_type);
  const CacheShape shape = model.cache_shape(tail_type(kv_type));
  const size_t read = std::min(tokens, chunk);
  MemoryEstimate estimate;
  for (const size_t window : shape.windows) {
    estimate.kv_bytes += layer_bytes(shape) * (window == 0 ? read : std::min(tokens, window + batch));
  }
  estimate.kv_bytes += KeptRows::expected_bytes(kept, most_held(kept, tokens, ratio));
  estimate.scoring_bytes = repeat_rows(tokens, chunk) * shape.token_bytes() + score_bytes(shape, tokens);
  estimate.workspace_bytes = workspace_bytes(model.config(), std::min(read, batch));
  return estimate;
}

size_t batch_rows(const Model& model, size_t tokens, DType kv_type, size_t wanted, size_t chunk) {
  constexpr size_t kLeast = 256;  // fewer save next to nothing beside the rest
  if (wanted > 0) return wanted;
  const size_t available = available_memory(model);
  size_t batch = std::min(model.backend().preferred_batch(), std::max(tokens, kLeast));
  while (batch > kLeast && estimate_memory(model, tokens, kv_type, batch, chunk).total() > available) batch /= 2;
  return batch;
}

void require_memory(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk) {
  require_available(model, tokens, kv_type,
                    [&](size_t count) { return estimate_memory(model, count, kv_type, batch, chunk); });
}

void require_streaming(const Model& model, size_t tokens, DType kv_type, size_t batch, size_t chunk, double ratio) {
  require_available(model, tokens, kv_type,
                    [&](size_t count) { return estimate_streaming(model, count, kv_type, batch, chunk, ratio); });
}

std::string format_bytes(size_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1024.0 * 1024 * 1024) return fmt::format("{:.2f} GiB", value / (1024.0 * 1024 * 1024));
  if (value >= 1024.0 * 1024) return fmt::format("{:.1f} MiB", value / (1024.0 * 1024));
  return fmt::format("{:.1f} KiB", value / 1024);
}

}  // namespace kvzip
