// Checksums of a context file's blocks: xxh3, which finds damage; or with a key BLAKE2b, which also finds changes that
// somebody made on purpose. Immutable; safe from any number of threads.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace kvzip {

/// Known to those who may make files that are trusted.
using ContextKey = std::array<std::byte, 32>;

/// A key out of a file: 32 bytes as they are, or 64 hexadecimal digits. Throws Error{input} for anything else.
ContextKey read_context_key(const std::string& path);

/// Room for either kind.
using BlockSum = std::array<std::byte, 16>;

class BlockSums {
 public:
  explicit BlockSums(const std::optional<ContextKey>& key) : key_(key) {}

  bool keyed() const { return key_.has_value(); }
  /// Bytes of a sum that count: 8 or 16.
  size_t size() const { return keyed() ? 16 : 8; }
  /// Of `bytes` as block `number`, so that equal blocks at other places have other sums. Bytes that don't count are 0.
  BlockSum sum(uint64_t number, std::span<const std::byte> bytes) const;

 private:
  std::optional<ContextKey> key_;
};

/// Eight bytes of BLAKE2b as 16 hexadecimal digits, of a text that is put together piece by piece: for fingerprints.
class TextHash {
 public:
  TextHash();
  /// A piece with its length, so that pieces can't flow into each other.
  void add(std::span<const std::byte> bytes);
  void add(std::string_view text) { add(std::as_bytes(std::span(text))); }
  /// The first `bytes` (at most 32) of the hash.
  std::string hex(size_t bytes = 8) const;

 private:
  struct alignas(64) State {
    std::array<std::byte, 384> bytes;
  };
  State state_{};
};

}  // namespace kvzip
