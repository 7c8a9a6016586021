#include "kvzip/store/context_file.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>
#include <new>
#include <utility>

#include "kvzip/base/check.h"
#include "kvzip/base/parallel_each.h"
#include "kvzip/store/bits.h"
#include "kvzip/store/block_codec.h"

namespace kvzip {
namespace {

// Memory that a file may ask for, so that a small one made for the purpose can't take all there is: scores of a whole
// document whose rows were mostly dropped, and what zstd packed.
constexpr uint64_t kFreeBytes = uint64_t{1} << 20U;
constexpr uint64_t kScoreBytesPerByte = 64;
constexpr uint64_t kUnpackedBytesPerByte = 16;
// A server only says how long a file is: what follows from that alone is bounded by these.
constexpr uint64_t kMostFetchedScoreBytes = uint64_t{4} << 30U;
constexpr uint64_t kFetchedDescriptionBytes = uint64_t{16} << 20U;  // and one for every 512 of the file

/// Tells the system about mapped bytes that are about to be read. Only for speed.
void advise(std::span<const std::byte> bytes, int advice) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const size_t before = reinterpret_cast<uintptr_t>(bytes.data()) % page;
  ::madvise(const_cast<std::byte*>(bytes.data()) - before, bytes.size() + before, advice);
}

/// A mapping of which only parts will be read: whoever touches a page of another one that isn't in memory is brought
/// megabytes around it.
std::shared_ptr<const MappedFile> map_in_parts(const std::string& path, Links links) {
  auto mapping = std::make_shared<const MappedFile>(path, links);
  advise(mapping->bytes(), MADV_RANDOM);
  return mapping;
}

/// Has the disk read exactly these, so that nothing around them is read when they are touched.
void start_reading(std::span<const std::byte> bytes) { advise(bytes, MADV_WILLNEED); }

/// Maps the pages at once, which takes far less than one by one as they are touched.
void expect_read(std::span<const std::byte> bytes) { advise(bytes, MADV_POPULATE_READ); }

FileHeader checked_header(std::span<const std::byte> file, const BlockSums& sums, const std::string& path,
                          ByteSource* source) {
  if (source == nullptr) return read_header(file, sums, path);
  const ByteRange first{0, std::min<uint64_t>(kHeaderBytes, file.size())};
  source->fetch({&first, 1});
  const FileHeader header = read_header(file, sums, path);
  if (header.zstd) throw Error(ErrorCode::input, path + ": expected blocks that aren't packed, as stores write them");
  if (header.description_bytes > kFetchedDescriptionBytes + file.size() / 512)
    throw Error(ErrorCode::input, path + ": damaged: description: longer than that of any context");
  const ByteRange last{file.size() - header.description_bytes, header.description_bytes};
  source->fetch({&last, 1});
  return header;
}

ParsedDescription checked_description(std::span<const std::byte> file, const FileHeader& header, const BlockSums& sums,
                                      const std::string& path) {
  const auto bytes = file.last(header.description_bytes);
  start_reading(bytes);
  if (sums.sum(kDescriptionNumber, bytes) != header.description_sum)
    throw Error(ErrorCode::input, path + ": damaged: description: wrong checksum");
  return read_description(bytes, path);
}

bool all_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte byte) { return byte == std::byte{0}; });
}

}  // namespace

bool is_context_file(const std::string& path) {
  try {
    return looks_like_context_file(map_in_parts(path, Links::follow)->bytes());
  } catch (const Error&) {
    return false;
  }
}

ContextFile ContextFile::open(const std::string& path, const Options& options) {
  return {map_in_parts(path, options.links), options.key};
}

ContextFile::ContextFile(std::shared_ptr<const MappedFile> mapping, const std::optional<ContextKey>& key)
    : ContextFile(mapping->bytes(), mapping->path(), key) {
  mapping_ = std::move(mapping);
  advise(bytes_, MADV_NORMAL);  // from here on what is needed is read before it is touched
}

ContextFile::ContextFile(std::span<const std::byte> bytes, std::string path, const std::optional<ContextKey>& key,
                         std::shared_ptr<ByteSource> source)
    : path_(std::move(path)),
      source_(std::move(source)),
      bytes_(bytes),
      sums_(key),
      header_(checked_header(bytes_, sums_, path_, source_.get())),
      parsed_(checked_description(bytes_, header_, sums_, path_)),
      layout_(parsed_.description, path_) {
  const uint64_t entry = sums_.size() + (header_.zstd ? sizeof(uint32_t) : 0);
  if (parsed_.table.size() != layout_.blocks() * entry) {
    throw Error(ErrorCode::input, fmt::format("{}: damaged: table of blocks: expected {} entries, found {} bytes",
                                              path_, layout_.blocks(), parsed_.table.size()));
  }
  if (header_.zstd) place_packed_blocks();
  const uint64_t end = aligned(blocks_end());
  if (end != bytes_.size() - header_.description_bytes) {
    throw Error(ErrorCode::input, fmt::format("{}: damaged: its blocks end at byte {}, its description begins at {}",
                                              path_, end, bytes_.size() - header_.description_bytes));
  }
  expect_sizes();
  *bytes_read_ = kHeaderBytes + header_.description_bytes;
}

/// What will be allocated is in proportion to the file.
void ContextFile::expect_sizes() const {
  const Keep& held = description().held;
  uint64_t most = kFreeBytes + bytes_.size() * kScoreBytesPerByte;
  if (source_) most = std::min(most, kMostFetchedScoreBytes);
  const uint64_t most_scores = most / sizeof(float);
  if (description().read_tokens() > most_scores || (held.len > 0 && held.rows.size() > most_scores / held.len) ||
      layout_.end() > kFreeBytes + bytes_.size() * kUnpackedBytesPerByte) {
    throw Error(ErrorCode::input,
                fmt::format("{}: damaged: a document of {} tokens in {} bytes", path_, held.len, bytes_.size()));
  }
}

void ContextFile::place_packed_blocks() {
  uint64_t offset = kHeaderBytes;
  packed_offsets_.push_back(offset);
  const size_t entry = sizeof(uint32_t) + sums_.size();
  for (uint64_t block = 0; block < layout_.blocks(); ++block) {
    uint32_t size = 0;
    std::memcpy(&size, parsed_.table.data() + block * entry, sizeof(size));
    packed_offsets_.push_back(offset += size);
  }
}

ContextFile::StoredBlock ContextFile::stored_block(const FileArray& array, uint64_t block) const {
  const uint64_t number = array.first_block + block;
  if (!header_.zstd) {
    return {bytes_.subspan(array.offset + block * array.block_bytes, array.size_of(block)),
            parsed_.table.subspan(number * sums_.size(), sums_.size())};
  }
  const size_t entry = sizeof(uint32_t) + sums_.size();
  return {bytes_.subspan(packed_offsets_[number], packed_offsets_[number + 1] - packed_offsets_[number]),
          parsed_.table.subspan(number * entry + sizeof(uint32_t), sums_.size())};
}

bool ContextFile::check_block(const FileArray& array, uint64_t block) const {
  const StoredBlock stored = stored_block(array, block);
  *bytes_read_ += stored.bytes.size();
  const BlockSum sum = sums_.sum(array.first_block + block, stored.bytes);
  return std::equal(stored.sum.begin(), stored.sum.end(), sum.begin());
}

/// Where the blocks lie that the first `bytes` of an array are in.
ByteRange ContextFile::whole_blocks(const FileArray& array, uint64_t bytes) {
  return {array.offset, std::min(array.blocks_of(bytes) * array.block_bytes, array.bytes)};
}

/// The same as the file has them.
std::span<const std::byte> ContextFile::stored_bytes(const FileArray& array, uint64_t bytes) const {
  const ByteRange whole = whole_blocks(array, bytes);
  if (!header_.zstd) return bytes_.subspan(whole.offset, whole.bytes);
  const uint64_t first = packed_offsets_[array.first_block];
  return bytes_.subspan(first, packed_offsets_[array.first_block + array.blocks_of(bytes)] - first);
}

/// The first `bytes` of an array, checked: where they lie, or unpacked to `unpacked`, which holds whole blocks.
const std::byte* ContextFile::read_array(const FileArray& array, uint64_t bytes, std::byte* unpacked) const {
  if (mapping_ && bytes > 0) expect_read(stored_bytes(array, bytes));
  if (source_) source_->fetch(std::array{whole_blocks(array, bytes)});
  for (uint64_t block = 0; block < array.blocks_of(bytes); ++block) {
    if (!check_block(array, block)) {
      throw Error(ErrorCode::input, fmt::format("{}: damaged: block {} of {}: wrong checksum", path_,
                                                array.first_block + block + 1, layout_.blocks()));
    }
    if (!header_.zstd) continue;
    std::byte* to = unpacked + block * array.block_bytes;
    unpack_block(stored_block(array, block).bytes, {to, array.size_of(block)}, path_);
  }
  return header_.zstd ? unpacked : bytes_.data() + array.offset;
}

/// All of a part, checked: where it lies, or in `unpacked`.
std::span<const std::byte> ContextFile::whole_part(ContextLayout::Part part, std::vector<std::byte>& unpacked) const {
  const FileArray& array = layout_.part(part);
  if (mapping_) start_reading(stored_bytes(array, array.bytes));
  if (header_.zstd) unpacked.resize(array.bytes);
  return {read_array(array, array.bytes, unpacked.data()), array.bytes};
}

std::vector<TokenId> ContextFile::tokens() const {
  std::vector<std::byte> unpacked;
  const auto bytes = whole_part(ContextLayout::kTokens, unpacked);
  std::vector<TokenId> tokens(description().read_tokens());
  BitReader bits(bytes);
  for (TokenId& id : tokens) id = static_cast<TokenId>(bits.get(description().token_bits));
  if (!bits.at_end()) throw Error(ErrorCode::input, path_ + ": damaged: bits behind the last token");
  return tokens;
}

std::string ContextFile::text() const {
  std::vector<std::byte> unpacked;
  const auto bytes = whole_part(ContextLayout::kText, unpacked);
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::vector<float> ContextFile::read_samples() const {
  std::vector<std::byte> unpacked;
  const auto bytes = whole_part(ContextLayout::kSamples, unpacked);
  std::vector<float> samples(bytes.size() / sizeof(float));
  if (!bytes.empty()) std::memcpy(samples.data(), bytes.data(), bytes.size());
  return samples;
}

OrderSource ContextFile::order_source(std::vector<std::byte>& unpacked) const {
  const Keep& held = description().held;
  return {whole_part(ContextLayout::kOrder, unpacked), description().order_bytes, held.rows, held.len, path_};
}

RankedScores ContextFile::ranking() const {
  std::vector<std::byte> unpacked;
  return {decode_order(order_source(unpacked)), read_samples()};
}

ContextRows ContextFile::rows(const StoredCut& cut) const {
  const ContextDescription& about = description();
  RankedScores ranked = ranking();
  ContextRows rows{.shape = about.shape,
                   .system_len = about.system_tokens,
                   .read_tokens = about.read_tokens(),
                   .scores = restore_scores(ranked, about.held, path_)};
  rows.held = stored_keep(about, rows.scores, cut, path_);
  rows.order = std::move(ranked.order.positions);
  for (size_t head = 0; head < rows.order.size(); ++head) rows.order[head].resize(rows.held.rows[head]);
  read_rows(rows.held, rows);
  return rows;
}

void ContextFile::read_rows(const Keep& keep, ContextRows& rows) const {
  struct Piece {
    const FileArray* array;
    uint64_t bytes;
    uint64_t unpacked_at;
    const std::byte* data;
  };
  const CacheShape& shape = rows.shape;
  std::vector<Piece> pieces;
  std::vector<ByteRange> needed;
  uint64_t unpacked_bytes = 0;
  size_t scored = 0;
  for (size_t layer = 0; layer < shape.layers(); ++layer) {
    for (size_t head = 0; head < shape.kv_heads; ++head) {
      const size_t kept = shape.windows[layer] == 0 ? keep.at(scored, head) : 0;
      const size_t len = head_rows(description(), layer, kept);
      rows.heads.push_back({.len = len});
      for (const size_t which : {0U, 1U}) {
        const FileArray& array = layout_.rows(layer, head, which);
        const uint64_t bytes = len * shape.head_row_bytes();
        pieces.push_back({&array, bytes, unpacked_bytes, nullptr});
        needed.push_back(whole_blocks(array, bytes));
        unpacked_bytes += aligned(needed.back().bytes);
      }
    }
    if (shape.windows[layer] == 0) ++scored;
  }
  std::shared_ptr<std::byte[]> unpacked;
  if (header_.zstd) {
    try {
      unpacked.reset(new std::byte[unpacked_bytes]);  // NOLINT(modernize-make-shared): not cleared, all is written
    } catch (const std::bad_alloc&) {
      throw Error(ErrorCode::memory, fmt::format("{}: unpacking needs {} bytes of memory", path_, unpacked_bytes));
    }
  }
  if (source_) source_->fetch(needed);  // all at once: each question to a server takes its time
  for (const Piece& piece : pieces) {
    if (mapping_) start_reading(stored_bytes(*piece.array, piece.bytes));
  }
  parallel_each(pieces.size(), [&](size_t i) {
    Piece& piece = pieces[i];
    piece.data = read_array(*piece.array, piece.bytes, header_.zstd ? unpacked.get() + piece.unpacked_at : nullptr);
  });
  for (size_t head = 0; head < rows.heads.size(); ++head) {
    rows.heads[head].k = pieces[2 * head].data;
    rows.heads[head].v = pieces[2 * head + 1].data;
  }
  if (source_) {
    rows.memory = source_;
  } else {
    rows.memory = header_.zstd ? std::shared_ptr<const void>(unpacked) : mapping_;
  }
}

void ContextFile::verify() const {
  if (source_) source_->fetch(std::array{ByteRange{0, bytes_.size()}});
  verify_gaps();
  std::vector<std::byte> unpacked_order;
  OrderDecoder decoder(order_source(unpacked_order));
  const std::vector<float> samples = read_samples();
  const size_t heads = description().held.rows.size();
  std::atomic<size_t> heads_left = heads;
  const auto check_head = [&](size_t head) {
    decoder.decode(head);
    if (--heads_left == 0) restore_scores({decoder.take(), samples}, description().held, path_);
  };
  const auto check_array = [&](const FileArray& array) {
    std::vector<std::byte> unpacked(header_.zstd ? array.bytes : 0);
    read_array(array, array.bytes, unpacked.data());
  };
  // Decoding keeps the processor busy and sums the memory: taken in turns, both are under way at any time.
  const auto& arrays = layout_.arrays();
  parallel_each(heads + arrays.size(), [&](size_t i) {
    if (i >= 2 * heads) return check_array(arrays[i - heads]);
    if (i % 2 == 1) return check_array(arrays[i / 2]);
    check_head(i / 2);
  });
  tokens();
}

void ContextFile::verify_gaps() const {
  const auto expect_zeros = [&](uint64_t begin, uint64_t end) {
    if (!all_zero(bytes_.subspan(begin, end - begin)))
      throw Error(ErrorCode::input, fmt::format("{}: damaged: expected zeros from byte {} to {}", path_, begin, end));
  };
  expect_zeros(blocks_end(), aligned(blocks_end()));
  if (header_.zstd) return;
  uint64_t end = kHeaderBytes;
  for (const FileArray& array : layout_.arrays()) {
    expect_zeros(end, array.offset);
    end = array.offset + array.bytes;
  }
}

Keep stored_keep(const ContextDescription& description, const Scores& scores, const StoredCut& cut,
                 const std::string& path) {
  const Keep& held = description.held;
  const auto refuse = [&](const std::string& why) { throw Error(ErrorCode::usage, path + ": " + why); };
  const double ratio = cut.ratio.value_or(description.ratio);
  const Level level = cut.level.value_or(description.level);
  if (ratio > description.ratio) {
    refuse(fmt::format("holds {:g} of the document's pairs and can only be cut further, not to {:g}", description.ratio,
                       ratio));
  }
  const bool own_rule = level == description.level && (cut.heads != nullptr) == description.given_head_scores;
  if (!cut.ratio || (ratio == description.ratio && own_rule)) return held;
  if (!description.holds_all() && !own_rule) {
    refuse(fmt::format("was cut by level {}{} and can only be cut further by that", level_name(description.level),
                       description.given_head_scores ? " with --head-scores" : ""));
  }
  Keep keep = cut.heads != nullptr ? select(scores, level, ratio, *cut.heads).keep : select(scores, level, ratio).keep;
  for (size_t head = 0; head < keep.rows.size(); ++head) {
    if (keep.rows[head] > held.rows[head]) refuse("holds other heads than these head scores ask for");
  }
  return keep;
}

}  // namespace kvzip
