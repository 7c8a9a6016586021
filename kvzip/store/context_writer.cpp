#include "kvzip/store/context_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/check.h"
#include "kvzip/store/block_codec.h"
#include "kvzip/store/context_layout.h"
#include "kvzip/store/score_ranks.h"

namespace kvzip {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20U;  // that are written at once

/// Writes blocks one after the other, and keeps the table of them.
class BlockSink {
 public:
  BlockSink(FileWriter& out, const BlockSums& sums, bool pack, uint64_t offset)
      : out_(&out), sums_(&sums), pack_(pack), offset_(offset) {}

  void add(std::span<const std::byte> block) {
    const std::vector<std::byte> packed = pack_ ? pack_block(block) : std::vector<std::byte>();
    if (pack_) block = packed;
    const auto size = static_cast<uint32_t>(block.size());
    if (pack_) append(std::as_bytes(std::span(&size, 1)));
    const BlockSum sum = sums_->sum(number_++, block);
    append(std::span(sum).first(sums_->size()));
    waiting_.insert(waiting_.end(), block.begin(), block.end());
    offset_ += block.size();
    if (waiting_.size() >= kChunkBytes) flush();
  }
  /// The next block begins an array.
  void align() {
    if (pack_) return;
    waiting_.resize(waiting_.size() + (aligned(offset_) - offset_));
    offset_ = aligned(offset_);
  }
  void flush() {
    out_->write(waiting_);
    waiting_.clear();
  }

  uint64_t offset() const { return offset_; }
  std::span<const std::byte> table() const { return table_; }

 private:
  void append(std::span<const std::byte> bytes) { table_.insert(table_.end(), bytes.begin(), bytes.end()); }

  FileWriter* out_;
  const BlockSums* sums_;
  bool pack_;
  uint64_t offset_;  // of the next block
  uint64_t number_ = 0;
  std::vector<std::byte> waiting_, table_;
};

class ContextWriter {
 public:
  ContextWriter(const Context& context, const ContextOrigin& origin, const WriteOptions& options)
      : context_(&context), origin_(&origin), options_(&options), sums_(options.key) {
    check(origin.system.size() == context.system_len() && origin.document.size() == context.document_len(),
          "the tokens are the context's");
    tokens_.assign(origin.system.begin(), origin.system.end());
    tokens_.insert(tokens_.end(), origin.document.begin(), origin.document.end());
    if (tokens_.size() > std::numeric_limits<uint32_t>::max())
      throw Error(ErrorCode::unsupported, "context: more tokens than a file can hold");
    RankedScores ranked = rank_scores(context);
    order_ = encode_order(ranked.order, context.document_len());
    samples_ = std::move(ranked.samples);
    description_ = {.title = origin.title,
                    .model_name = origin.model_name,
                    .fingerprint = origin.fingerprint,
                    .shape = context.shape(),
                    .system_tokens = context.system_len(),
                    .level = origin.level,
                    .given_head_scores = origin.given_head_scores,
                    .ratio = origin.ratio,
                    .held = context.held(),
                    .text_bytes = origin.text.size(),
                    .order_bytes = order_.size()};
    fields_ = write_description(description_);
  }

  uint64_t write(const std::string& path) {
    const ContextLayout counted(description_, 0, path);
    const uint64_t entry = sums_.size() + (options_->zstd ? sizeof(uint32_t) : 0);
    const uint64_t description_bytes = fields_.size() + counted.blocks() * entry;
    const uint64_t data_offset = aligned(kHeaderBytes + description_bytes);
    const ContextLayout layout(description_, data_offset, path);
    if (layout.end() > options_->most_bytes) {
      throw Error(ErrorCode::input, fmt::format("{}: would take {} bytes, more than the {} there is room for", path,
                                                layout.end(), options_->most_bytes));
    }
    total_ = layout.end() - data_offset;
    uint64_t file_bytes = 0;
    write_file_atomically(path, [&](FileWriter& out) {
      out.write(std::vector<std::byte>(data_offset));
      BlockSink sink(out, sums_, options_->zstd, data_offset);
      write_arrays(layout, sink);
      sink.flush();
      file_bytes = sink.offset();
      std::vector<std::byte> description = fields_;
      description.insert(description.end(), sink.table().begin(), sink.table().end());
      check(description.size() == description_bytes, "the table has an entry for every block");
      const FileHeader header{.zstd = options_->zstd,
                              .keyed = sums_.keyed(),
                              .file_bytes = file_bytes,
                              .description_bytes = description_bytes,
                              .description_sum = sums_.sum(kDescriptionNumber, description)};
      out.rewrite(0, write_header(header, sums_));
      out.rewrite(kHeaderBytes, description);
    });
    return file_bytes;
  }

 private:
  void write_arrays(const ContextLayout& layout, BlockSink& sink) {
    write_array(layout.part(ContextLayout::kTokens), std::as_bytes(std::span(tokens_)), sink);
    write_array(layout.part(ContextLayout::kText), std::as_bytes(std::span(origin_->text)), sink);
    write_array(layout.part(ContextLayout::kSamples), std::as_bytes(std::span(samples_)), sink);
    write_array(layout.part(ContextLayout::kOrder), order_, sink);
    const ContextCut cut(*context_, context_->held());
    for (size_t layer = 0; layer < context_->shape().layers(); ++layer) {
      const Segment rows = cut.segment(layer);
      for (size_t head = 0; head < rows.heads.size(); ++head) {
        write_rows(layout.rows(layer, head, 0), rows.heads[head].k, sink);
        write_rows(layout.rows(layer, head, 1), rows.heads[head].v, sink);
      }
    }
  }

  void write_array(const FileArray& array, std::span<const std::byte> bytes, BlockSink& sink) {
    check(bytes.size() == array.bytes, "an array is as long as the layout says");
    sink.align();
    for (uint64_t block = 0; block < array.blocks(); ++block)
      sink.add(bytes.subspan(block * array.block_bytes, array.size_of(block)));
    advance(array.bytes);
  }

  /// The same from the device's memory.
  void write_rows(const FileArray& array, const void* rows, BlockSink& sink) {
    sink.align();
    for (uint64_t block = 0; block < array.blocks(); ++block) {
      staging_.resize(array.size_of(block));
      context_->backend().download(staging_.data(), static_cast<const std::byte*>(rows) + block * array.block_bytes,
                                   staging_.size());
      sink.add(staging_);
    }
    advance(array.bytes);
  }

  void advance(uint64_t bytes) {
    done_ += bytes;
    report(options_->progress, {"writing", done_, total_});
  }

  const Context* context_;
  const ContextOrigin* origin_;
  const WriteOptions* options_;
  BlockSums sums_;
  ContextDescription description_;
  std::vector<std::byte> fields_;  // the description without its table
  std::vector<TokenId> tokens_;
  std::vector<float> samples_;
  std::vector<std::byte> order_;
  std::vector<std::byte> staging_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
};

}  // namespace

uint64_t write_context(const std::string& path, const Context& context, const ContextOrigin& origin,
                       const WriteOptions& options) {
  return ContextWriter(context, origin, options).write(path);
}

}  // namespace kvzip
