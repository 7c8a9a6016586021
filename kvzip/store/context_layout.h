// Where things lie in a context file: arrays one after the other, each in blocks that are checked by themselves, so
// that the beginning of an array can be read alone. Follows from the description; the file holds no offsets to be
// believed. Immutable; safe from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kvzip/store/context_description.h"

namespace kvzip {

struct FileArray {
  uint64_t bytes = 0;        ///< as memory holds it
  uint64_t block_bytes = 0;  ///< of every block but the last, which holds the rest
  uint64_t first_block = 0;  ///< its number, counted through the file
  uint64_t offset = 0;       ///< in the file; packed blocks lie where the table says

  uint64_t blocks() const { return (bytes + block_bytes - 1) / block_bytes; }
  /// Blocks that the first `count` bytes lie in.
  uint64_t blocks_of(uint64_t count) const { return (count + block_bytes - 1) / block_bytes; }
  uint64_t size_of(uint64_t block) const { return std::min(block_bytes, bytes - block * block_bytes); }
};

class ContextLayout {
 public:
  /// Throws Error{input} naming `path` for sizes that no file has.
  ContextLayout(const ContextDescription& description, const std::string& path);

  /// A head's keys (0) or values (1). They come first, so that the order may still be unknown.
  const FileArray& rows(size_t layer, size_t head, size_t which) const {
    return arrays_[(layer * kv_heads_ + head) * 2 + which];
  }
  enum Part : size_t { kOrder = 1, kSamples, kText, kTokens };  // counted from the end
  const FileArray& part(Part part) const { return arrays_[arrays_.size() - part]; }
  const std::vector<FileArray>& arrays() const { return arrays_; }
  uint64_t blocks() const { return blocks_; }
  /// Where the file ends, if its blocks aren't packed.
  uint64_t end() const { return end_; }

 private:
  void add(uint64_t bytes, uint64_t block_bytes, const std::string& path);

  size_t kv_heads_;
  std::vector<FileArray> arrays_;
  uint64_t blocks_ = 0;
  uint64_t end_ = kHeaderBytes;
};

/// `offset` raised to a whole multiple of kFileAlignment.
inline uint64_t aligned(uint64_t offset) { return (offset + kFileAlignment - 1) / kFileAlignment * kFileAlignment; }

/// Rows that one head of a layer holds: of a scored one the system prompt's and `kept`, of a sliding one its window.
size_t head_rows(const ContextDescription& description, size_t layer, size_t kept);

}  // namespace kvzip
