// A context file that is open: what it says of itself, and the leading rows of every head that a keep ratio needs. The
// bytes are untrusted: sizes are checked against the file before anything is allocated, blocks against their sums
// before they are used, and whatever is wrong becomes an Error of one line.
//
// Shares the mapping, or what was fetched, with the contexts made from it. Safe from any number of threads. The file
// must not be written to while it is open; replacing or removing its name is fine.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvzip/base/mapped_file.h"
#include "kvzip/cache/context.h"
#include "kvzip/store/byte_source.h"
#include "kvzip/store/context_description.h"
#include "kvzip/store/context_layout.h"
#include "kvzip/store/score_ranks.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Whether the regular file at `path` begins as context files do. False where it can't be read.
bool is_context_file(const std::string& path);

/// How a stored context is to be cut.
struct StoredCut {
  std::optional<double> ratio{};      ///< of all pairs of the document; none = all that the file holds
  std::optional<Level> level{};       ///< none = the file's
  const HeadScores* heads = nullptr;  ///< for Level::head; null = the document's own
};

class ContextFile {
 public:
  struct Options {
    std::optional<ContextKey> key{};  ///< must be there if and only if the file was made with one
    Links links = Links::follow;
  };
  /// Checks header and description. Throws Error{input} naming the file and what is wrong with it.
  static ContextFile open(const std::string& path, const Options& options);
  static ContextFile open(const std::string& path) { return open(path, {}); }
  /// The same of bytes that outlive it and all that is made from it.
  ContextFile(std::span<const std::byte> bytes, std::string path, const std::optional<ContextKey>& key)
      : ContextFile(bytes, std::move(path), key, nullptr) {}
  /// The same of bytes that are fetched as they are needed. They must not be packed.
  ContextFile(const std::shared_ptr<ByteSource>& source, std::string path, const std::optional<ContextKey>& key)
      : ContextFile(source->bytes(), std::move(path), key, source) {}

  const std::string& path() const { return path_; }
  const FileHeader& header() const { return header_; }
  const ContextDescription& description() const { return parsed_.description; }
  const ContextLayout& layout() const { return layout_; }

  /// The system prompt's, then the document's.
  std::vector<TokenId> tokens() const;
  std::string text() const;
  /// What decides which rows a ratio keeps.
  RankedScores ranking() const;
  /// The rows of `cut`, exactly those that a compression to that ratio would have kept. Reads the blocks that they are
  /// in and no others. Throws Error{usage} for what the file doesn't hold, Error{input} where it is damaged.
  ContextRows rows(const StoredCut& cut) const;

  /// Reads and checks everything. Throws Error{input} naming the first thing that is wrong.
  void verify() const;
  /// Bytes of the file that were read since it was opened, header and description among them.
  uint64_t bytes_read() const { return *bytes_read_; }

 private:
  ContextFile(std::shared_ptr<const MappedFile> mapping, const std::optional<ContextKey>& key);
  ContextFile(std::span<const std::byte> bytes, std::string path, const std::optional<ContextKey>& key,
              std::shared_ptr<ByteSource> source);

  struct StoredBlock {
    std::span<const std::byte> bytes;  // as the file has them
    std::span<const std::byte> sum;
  };
  StoredBlock stored_block(const FileArray& array, uint64_t block) const;
  bool check_block(const FileArray& array, uint64_t block) const;
  static ByteRange whole_blocks(const FileArray& array, uint64_t bytes);
  std::span<const std::byte> stored_bytes(const FileArray& array, uint64_t bytes) const;
  const std::byte* read_array(const FileArray& array, uint64_t bytes, std::byte* unpacked) const;
  std::span<const std::byte> whole_part(ContextLayout::Part part, std::vector<std::byte>& unpacked) const;
  OrderSource order_source(std::vector<std::byte>& unpacked) const;
  std::vector<float> read_samples() const;
  void place_packed_blocks();
  void expect_sizes() const;
  uint64_t blocks_end() const { return header_.zstd ? packed_offsets_.back() : layout_.end(); }
  void verify_gaps() const;
  void read_rows(const Keep& keep, ContextRows& rows) const;

  std::string path_;
  std::shared_ptr<const MappedFile> mapping_;  // null where the bytes are fetched or somebody else's
  std::shared_ptr<ByteSource> source_;         // where they are fetched
  std::span<const std::byte> bytes_;
  BlockSums sums_;
  FileHeader header_;
  ParsedDescription parsed_;
  ContextLayout layout_;
  std::vector<uint64_t> packed_offsets_;  // of packed blocks, and the end of the last
  std::shared_ptr<std::atomic<uint64_t>> bytes_read_ = std::make_shared<std::atomic<uint64_t>>(0);
};

/// What `cut` keeps of the document whose rows `description` names and whose scores were restored. Throws Error{usage}
/// naming `path` where the file holds less, or holds it by another rule.
Keep stored_keep(const ContextDescription& description, const Scores& scores, const StoredCut& cut,
                 const std::string& path);

}  // namespace kvzip
