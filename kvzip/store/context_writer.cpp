#include "kvzip/store/context_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <functional>
#include <future>
#include <limits>
#include <vector>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/check.h"
#include "kvzip/store/bits.h"
#include "kvzip/store/block_codec.h"
#include "kvzip/store/context_layout.h"
#include "kvzip/store/score_ranks.h"

namespace kvzip {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20U;  // that are written at once

/// Writes blocks one after the other, and keeps the table of them.
class BlockSink {
 public:
  BlockSink(ByteSink& out, const BlockSums& sums, bool pack) : out_(&out), sums_(&sums), pack_(pack) {}

  /// The next block of `size` bytes, which `fill` puts where it is told.
  template <class Fill>
  void add(size_t size, const Fill& fill) {
    if (filled_ + size > chunk_.size()) flush();
    if (size > chunk_.size()) chunk_.resize(size);
    std::span<std::byte> block = std::span(chunk_).subspan(filled_, size);
    fill(block);
    if (pack_) {
      const std::vector<std::byte> packed = pack_block(block);
      block = block.first(packed.size());
      std::copy(packed.begin(), packed.end(), block.begin());
      const auto packed_size = static_cast<uint32_t>(packed.size());
      append(std::as_bytes(std::span(&packed_size, 1)));
    }
    const BlockSum sum = sums_->sum(number_++, block);
    append(std::span(sum).first(sums_->size()));
    filled_ += block.size();
    offset_ += block.size();
  }
  /// Zeros up to where something new begins.
  void align() {
    const size_t gap = aligned(offset_) - offset_;
    if (filled_ + gap > chunk_.size()) flush();
    std::fill_n(chunk_.begin() + static_cast<std::ptrdiff_t>(filled_), gap, std::byte{0});
    filled_ += gap;
    offset_ += gap;
  }
  void align_array() {
    if (!pack_) align();
  }
  void flush() {
    out_->write(std::span(chunk_).first(filled_));
    filled_ = 0;
  }

  uint64_t offset() const { return offset_; }
  std::span<const std::byte> table() const { return table_; }

 private:
  void append(std::span<const std::byte> bytes) { table_.insert(table_.end(), bytes.begin(), bytes.end()); }

  ByteSink* out_;
  const BlockSums* sums_;
  bool pack_;
  uint64_t offset_ = kHeaderBytes;  // of the next block
  uint64_t number_ = 0;
  std::vector<std::byte> chunk_ = std::vector<std::byte>(kChunkBytes);
  size_t filled_ = 0;  // of the chunk
  std::vector<std::byte> table_;
};

/// What the rows' order takes in the file.
struct OrderParts {
  EncodedOrder order;
  std::vector<float> samples;
};

OrderParts order_parts(const Context& context) {
  const RankedScores ranked = rank_scores(context);
  return {encode_order(ranked.order, context.document_len()), ranked.samples};
}

class ContextWriter {
 public:
  ContextWriter(const Context& context, const ContextOrigin& origin, const WriteOptions& options)
      : context_(&context), origin_(&origin), options_(&options), sums_(options.key) {
    check(origin.system.size() == context.system_len() && origin.document.size() == context.document_len(),
          "the tokens are the context's");
    if (context.read_tokens() > std::numeric_limits<uint32_t>::max())
      throw Error(ErrorCode::unsupported, "context: more tokens than a file can hold");
    description_ = {.title = origin.title,
                    .model_name = origin.model_name,
                    .fingerprint = origin.fingerprint,
                    .shape = context.shape(),
                    .system_tokens = context.system_len(),
                    .scoring = origin.scoring,
                    .level = origin.level,
                    .given_head_scores = origin.given_head_scores,
                    .ratio = origin.ratio,
                    .held = context.held(),
                    .text_bytes = origin.text.size()};
    pack_tokens();
  }

  uint64_t write(ByteSink& out, const std::string& path) {
    // While rows are written, which waits for the disk, their order is found on another thread.
    std::future<OrderParts> order = std::async(std::launch::async, order_parts, std::cref(*context_));
    const ContextLayout known(description_, path);
    require_room(known.end(), path);
    total_ = known.end();
    out.write(std::vector<std::byte>(kHeaderBytes));
    BlockSink sink(out, sums_, options_->zstd);
    write_all_rows(known, sink);
    const OrderParts parts = order.get();
    description_.order_bytes = parts.order.head_bytes;
    const ContextLayout layout(description_, path);
    write_array(layout.part(ContextLayout::kTokens), tokens_, sink);
    write_array(layout.part(ContextLayout::kText), std::as_bytes(std::span(origin_->text)), sink);
    write_array(layout.part(ContextLayout::kSamples), std::as_bytes(std::span(parts.samples)), sink);
    write_array(layout.part(ContextLayout::kOrder), parts.order.bytes, sink);
    const uint64_t file_bytes = finish(out, sink);
    require_room(file_bytes, path);
    return file_bytes;
  }

 private:
  void require_room(uint64_t bytes, const std::string& path) const {
    if (bytes <= options_->most_bytes) return;
    throw Error(ErrorCode::input, fmt::format("{}: would take {} bytes, more than the {} there is room for", path,
                                              bytes, options_->most_bytes));
  }

  void pack_tokens() {
    std::vector<TokenId> tokens(origin_->system.begin(), origin_->system.end());
    tokens.insert(tokens.end(), origin_->document.begin(), origin_->document.end());
    for (const TokenId id : tokens) {
      check(id >= 0, "tokens are places in a vocabulary");
      description_.token_bits =
          std::max(description_.token_bits, static_cast<uint32_t>(std::bit_width(static_cast<uint32_t>(id))));
    }
    BitWriter bits;
    for (const TokenId id : tokens) bits.put(static_cast<uint32_t>(id), description_.token_bits);
    tokens_ = bits.take();
  }

  /// Description and header. Returns the file's size.
  uint64_t finish(ByteSink& out, BlockSink& sink) const {
    sink.align();
    sink.flush();
    std::vector<std::byte> description = write_description(description_);
    description.insert(description.end(), sink.table().begin(), sink.table().end());
    out.write(description);
    const FileHeader header{.zstd = options_->zstd,
                            .keyed = sums_.keyed(),
                            .file_bytes = sink.offset() + description.size(),
                            .description_bytes = description.size(),
                            .description_sum = sums_.sum(kDescriptionNumber, description)};
    out.rewrite(0, write_header(header, sums_));
    return header.file_bytes;
  }

  void write_all_rows(const ContextLayout& layout, BlockSink& sink) {
    const ContextCut cut(*context_, context_->held());
    for (size_t layer = 0; layer < context_->shape().layers(); ++layer) {
      const Segment rows = cut.segment(layer);
      for (size_t head = 0; head < rows.heads.size(); ++head) {
        write_rows(layout.rows(layer, head, 0), rows.heads[head].k, sink);
        write_rows(layout.rows(layer, head, 1), rows.heads[head].v, sink);
      }
    }
  }

  void write_rows(const FileArray& array, const void* rows, BlockSink& sink) {
    sink.align_array();
    for (uint64_t block = 0; block < array.blocks(); ++block) {
      sink.add(array.size_of(block), [&](std::span<std::byte> to) {
        context_->backend().download(to.data(), static_cast<const std::byte*>(rows) + block * array.block_bytes,
                                     to.size());
      });
    }
    advance(array.bytes);
  }

  void write_array(const FileArray& array, std::span<const std::byte> bytes, BlockSink& sink) {
    check(bytes.size() == array.bytes, "an array is as long as the layout says");
    sink.align_array();
    for (uint64_t block = 0; block < array.blocks(); ++block) {
      const auto from = bytes.subspan(block * array.block_bytes, array.size_of(block));
      sink.add(from.size(), [&](std::span<std::byte> to) { std::copy(from.begin(), from.end(), to.begin()); });
    }
    advance(array.bytes);
  }

  void advance(uint64_t bytes) {
    done_ += bytes;
    report(options_->progress, {"writing", std::min(done_, total_), total_});
  }

  const Context* context_;
  const ContextOrigin* origin_;
  const WriteOptions* options_;
  BlockSums sums_;
  ContextDescription description_;
  std::vector<std::byte> tokens_;  // packed
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

uint64_t write_context(const std::string& path, const Context& context, const ContextOrigin& origin,
                       const WriteOptions& options) {
  uint64_t bytes = 0;
  write_file_atomically(path, [&](FileWriter& out) { bytes = write_context(out, path, context, origin, options); });
  return bytes;
}

uint64_t write_context(ByteSink& out, const std::string& name, const Context& context, const ContextOrigin& origin,
                       const WriteOptions& options) {
  return ContextWriter(context, origin, options).write(out, name);
}

}  // namespace kvzip
