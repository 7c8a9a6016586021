// Scores while repetitions raise them: logarithms in the device's memory, which come to the host once, so that a device
// that works by itself never waits for it. Owns its memory; one thread at a time.
#pragma once

#include <cstddef>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/cache/scores.h"
#include "kvzip/cache/shape.h"

namespace kvzip {

class LogScores {
 public:
  /// Of `len` document rows in every global layer, all minus infinity. `backend` must outlive it.
  LogScores(Backend& backend, const CacheShape& shape, size_t len);

  /// `keys` for the chunk that begins at row `begin` and one KV layer, asked for by every layer that uses it: their
  /// scores' maximum remains. Null where the layer isn't scored. Valid until the next one.
  const ScoreRequest* request(size_t kv_layer, size_t begin, const ScoreRequest& keys);

  /// The scores themselves.
  Scores take() const { return download()(); }
  /// Brings them to the host; what is left to do there is done when the result is called, which needs this no more.
  ScoresFn download() const;

 private:
  Backend* backend_;
  std::vector<size_t> layers_;
  size_t heads_;
  Tensor log_;  // [scored layers * kv_heads, len]
  ScoreRequest request_;
};

}  // namespace kvzip
