// One attention call: checks it, chooses the kernels and sizes, and lets all threads work off the plan.
#include "kvzip/backend/cpu/attention.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <new>
#include <vector>

#include "kvzip/backend/attend_check.h"
#include "kvzip/backend/cpu/attention_item.h"
#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip::attention {
namespace {

/// Query rows per KV head up to which rows of the cache are used as they are. On Zen 5, for head_dim 64 and 256,
/// packing them for bf16 products pays from 14 to 20 query rows on, for f32 products from 30 to 50.
constexpr size_t kFewRowsBf16 = 15;
constexpr size_t kFewRowsF32 = 36;
/// What the queries and sums of an item may take. More rows share the packing of a block; the second-level cache (1 MiB
/// on Zen 5) should hold them. There, 384 KiB is up to 7 % slower and 192 KiB up to 20 % (f32, head_dim 256).
constexpr size_t kItemBytes = size_t{768} << 10;
/// What an item's kept probabilities may take. For a chunk of 2000 keys on Zen 5, 1 MiB makes the whole call 5 to 15 %
/// slower, 512 KiB 25 to 30 %: fewer rows share the packing, which costs more than leaving the second-level cache.
constexpr size_t kKeptBytes = size_t{4} << 20;
/// Items per thread to aim at where there are enough rows, so that the last one running does not hold up the call.
constexpr size_t kItemsPerThread = 6;
/// Rows below which an item is not worth packing keys for.
constexpr size_t kLeastRows = 96;

const ProductKernels& choose_kernels(const AttendArgs& args, Precision precision) {
  const ProductKernels& panels = panel_products(precision);
  const size_t few = panels.element == DType::bf16 ? kFewRowsBf16 : kFewRowsF32;
  const bool use_rows = args.q.rows * group_size(args) <= few && args.head_dim % 16 == 0 && args.score == nullptr;
  return use_rows ? row_products() : panels;
}

size_t choose_item_rows(const AttendArgs& args, const ProductKernels& kernels) {
  const size_t rows = args.q.rows * group_size(args);
  if (kernels.pack_keys == nullptr) return rows;
  const size_t wanted = rows * args.kv_heads / (kItemsPerThread * thread_count());
  size_t most = kItemBytes / (padded_dim(args.head_dim) * (element_bytes(kernels) + sizeof(float)));
  if (args.score != nullptr) {
    most = std::min(most, kKeptBytes / (round_up(args.score->chunk_len + 1, kBlockKeys) * element_bytes(kernels)));
  }
  return std::min(std::max(wanted, kLeastRows), std::max(most, kTileRows));
}

/// Memory that grows and is kept for the calling thread's next call: some MB per thread of work.
std::byte* scratch(size_t bytes) {
  struct Free {
    void operator()(std::byte* memory) const { ::operator delete (memory, std::align_val_t{64}); }
  };
  thread_local std::unique_ptr<std::byte, Free> memory;
  thread_local size_t size = 0;
  if (bytes > size) {
    memory.reset();
    size = 0;
    memory.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64})));
    size = bytes;
  }
  return memory.get();
}

/// One call: the plan, and the state that its threads share.
class Attention {
 public:
  Attention(const AttendArgs& args, const ProductKernels& kernels)
      : args_(args),
        kernels_(kernels),
        plan_(make_plan(args, choose_item_rows(args, kernels), thread_count())),
        scores_(args),
        left_(plan_.items.size()) {
    worker_bytes_ = round_up(ItemWorker::scratch_bytes(args, kernels, plan_.max_rows), 64);
    const size_t piece_bytes = round_up(Sums::bytes(plan_.max_rows, args.head_dim), 64);
    const bool cut = plan_.pieces.size() > plan_.items.size();
    memory_ = scratch(plan_.threads * worker_bytes_ + (cut ? plan_.pieces.size() * piece_bytes : 0));
    if (cut) {
      std::byte* at = memory_ + plan_.threads * worker_bytes_;
      for (size_t i = 0; i < plan_.pieces.size(); ++i) sums_.emplace_back(at + i * piece_bytes, plan_.max_rows);
    }
    for (size_t i = 0; i < left_.size(); ++i) left_[i] = plan_.items[i].pieces;
  }

  void run() {
    parallel_run(plan_.threads, [this](size_t thread) { work(thread); });
    scores_.finish();
  }

 private:
  /// Takes spans until none is left.
  void work(size_t thread) {
    ItemWorker worker(args_, kernels_, plan_.max_rows, scores_, memory_ + thread * worker_bytes_);
    for (size_t span = next_++; span + 1 < plan_.spans.size(); span = next_++) {
      for (size_t i = plan_.spans[span]; i < plan_.spans[span + 1]; ++i) run_piece(worker, plan_.order[i]);
    }
  }

  /// The last piece of an item to finish merges them all.
  void run_piece(ItemWorker& worker, size_t index) {
    const Piece& piece = plan_.pieces[index];
    const Item& item = plan_.items[piece.item];
    worker.run(item, piece);
    if (item.pieces == 1) return worker.write_output(item);
    worker.copy_sums(item, sums_[index]);
    if (--left_[piece.item] == 0) merge_pieces(args_, item, std::span(sums_).subspan(item.first_piece, item.pieces));
  }

  const AttendArgs& args_;
  const ProductKernels& kernels_;
  Plan plan_;
  SharedScores scores_;
  std::byte* memory_ = nullptr;
  size_t worker_bytes_ = 0;
  std::vector<Sums> sums_;                 ///< of the pieces, where items are cut
  std::vector<std::atomic<size_t>> left_;  ///< pieces of each item still to be finished
  std::atomic<size_t> next_ = 0;           ///< span
};

}  // namespace
}  // namespace kvzip::attention

namespace kvzip {

void attend_cpu(const AttendArgs& args, Precision precision) {
  check_attend(args, "the CPU");
  check(args.q.dtype == DType::f32 && args.out.dtype == DType::f32, "attend: q and out must be f32");
  if (args.q.rows == 0) return;
  attention::Attention(args, attention::choose_kernels(args, precision)).run();
}

}  // namespace kvzip
