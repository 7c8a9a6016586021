// Which part of a model one of several devices has: of every layer the same number of KV heads, the query heads that
// belong to them, and a stretch of the feed-forward width. Embeddings and norms all of them have. Stateless functions.
#pragma once

#include <string>

#include "kvzip/model/config.h"

namespace kvzip {

/// Part `rank` of `of` equal ones.
struct Share {
  size_t rank = 0;
  size_t of = 1;
};

/// Which rows or columns of a stored matrix to use: `count` from `first` on, of `whole`.
struct Stretch {
  size_t first = 0;
  size_t count = 0;
  size_t whole = 0;
};

/// The configuration of what one device computes. Throws Error{unsupported} naming the model at `path` and the number
/// that can't be divided.
ModelConfig share_of(ModelConfig whole, const Share& share, const std::string& path);

/// All of `values`.
inline Stretch all_of(size_t values) { return {0, values, values}; }
/// The device's part of what all of them together have, given what one has.
inline Stretch part_of(size_t one, const Share& share) { return {share.rank * one, one, share.of * one}; }

/// The device's rows of the output matrix: all of them where they can't be divided evenly.
inline Stretch output_rows(size_t vocab, const Share& share) {
  return vocab % share.of == 0 ? part_of(vocab / share.of, share) : all_of(vocab);
}

}  // namespace kvzip
