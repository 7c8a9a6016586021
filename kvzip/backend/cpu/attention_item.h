// Works off one item of a Plan: walks its keys block by block and holds its rows' running softmax. One ItemWorker per
// thread, in memory that the caller owns; workers of one call share nothing but the SharedScores' lock.
#pragma once

#include <mutex>
#include <span>
#include <vector>

#include "kvzip/backend/cpu/attention_plan.h"
#include "kvzip/backend/cpu/products.h"

namespace kvzip::attention {

/// A running softmax of some rows: of a whole item, or of a piece, to be merged.
struct Sums {
  float* maximum;  ///< `[rows]`
  float* sum;      ///< `[rows]`
  float* out;      ///< `[rows, padded_dim]`, 64-byte aligned

  static size_t bytes(size_t rows, size_t head_dim);
  Sums(std::byte* memory, size_t rows);
};

/// The scores of a call before their logarithm, raised by all threads.
class SharedScores {
 public:
  explicit SharedScores(const AttendArgs& args);
  /// Raises the scores of a head's chunk from its column `first` on.
  void raise(size_t head, size_t first, std::span<const float> scores);
  /// Raises the request's log_score. For when all threads are done.
  void finish();

 private:
  const ScoreRequest* request_;
  std::mutex mutex_;
  std::vector<float> best_;  ///< `[kv_heads, chunk_len]`
};

class ItemWorker {
 public:
  /// Bytes of 64-byte aligned memory that a worker for items of up to `max_rows` rows needs.
  static size_t scratch_bytes(const AttendArgs& args, const ProductKernels& kernels, size_t max_rows);
  ItemWorker(const AttendArgs& args, const ProductKernels& kernels, size_t max_rows, SharedScores& scores,
             std::byte* scratch);

  /// Attends to the keys of `piece` and, for an item with scores, raises these.
  void run(const Item& item, const Piece& piece);
  /// Writes the item's output, if the piece just run was all of it.
  void write_output(const Item& item) const;
  /// Copies the running softmax of the piece just run.
  void copy_sums(const Item& item, const Sums& to) const;

 private:
  void load_queries(const Item& item);
  void walk(const Item& item, const KeyRange& range);
  void attend_block(const Item& item, const KeyRange& range, size_t begin, size_t end);
  bool limit_tile(const Item& item, const KeyRange& range, size_t begin, size_t first_row, Tile& tile);
  void finish_scores(const Item& item);

  const AttendArgs& args_;
  const ProductKernels& kernels_;
  SharedScores& scores_;
  size_t group_;
  size_t tile_rows_ = 0;  ///< rows of a full tile of the current item
  size_t rows_ = 0;       ///< rows of the current item, with padding to whole tiles where kernels need it
  std::byte* queries_;
  std::byte* keys_;
  std::byte* values_;
  std::byte* probabilities_;  ///< of one tile
  std::byte* kept_;           ///< probabilities of the scored columns, `[blocks][rows_][kBlockKeys]`
  float* kept_maxima_;        ///< the maxima that these are relative to, `[blocks][rows_]`
  Sums sums_;
  Visible visible_[kTileRows];
};

/// Merges the running softmaxes of an item's pieces, `pieces[i]`, by log-sum-exp and writes the item's output.
void merge_pieces(const AttendArgs& args, const Item& item, std::span<const Sums> pieces);

}  // namespace kvzip::attention
