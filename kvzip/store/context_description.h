// What a context file says of itself: header and description, as docs/store_format.md has them byte
// by byte. Plain values; reading takes untrusted bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvzip/cache/keep.h"
#include "kvzip/cache/shape.h"
#include "kvzip/policy/level.h"
#include "kvzip/store/block_sum.h"

namespace kvzip {

inline constexpr size_t kHeaderBytes = 64;
inline constexpr size_t kFileAlignment = 64;
inline constexpr uint32_t kFormatVersion = 2;
/// As what the header and the description are summed; blocks have the numbers from 0.
inline constexpr uint64_t kHeaderNumber = ~uint64_t{0};
inline constexpr uint64_t kDescriptionNumber = kHeaderNumber - 1;

struct FileHeader {
  bool zstd = false;
  bool keyed = false;
  uint64_t file_bytes = 0;
  uint64_t description_bytes = 0;
  BlockSum description_sum{};
};

/// A named value of the model that made the rows; see fingerprint.h.
struct FingerprintValue {
  std::string name;   ///< "weights"
  std::string value;  ///< for people too, where it isn't a hash

  bool operator==(const FingerprintValue&) const = default;
};
using Fingerprint = std::vector<FingerprintValue>;

struct ContextDescription {
  std::string title;       ///< what people call the document; its file's name
  std::string model_name;  ///< for people; what decides is the fingerprint
  Fingerprint fingerprint;
  CacheShape shape;
  size_t system_tokens = 0;
  std::string scoring;             ///< how the document was scored; "exact" is KVzip's own way
  Level level = Level::pair;       ///< the rule by which rows were kept
  bool given_head_scores = false;  ///< Level::head by scores that aren't the document's own
  double ratio = 1;                ///< that was asked for: what can be asked for at most now
  Keep held;                       ///< rows of each scored head; its `len` is the document's length
  uint32_t token_bits = 0;         ///< of each token in the file
  uint64_t text_bytes = 0;
  std::vector<uint32_t> order_bytes{};  ///< of each scored head

  size_t read_tokens() const { return system_tokens + held.len; }
  bool holds_all() const { return held.pairs() == held.rows.size() * held.len; }
};

/// Whether bytes begin as context files do.
bool looks_like_context_file(std::span<const std::byte> bytes);

std::vector<std::byte> write_header(const FileHeader& header, const BlockSums& sums);
/// `file` is all of it. Throws Error{input} where this is no context file, is damaged, cut or of another length, or
/// where `sums` have no key and the file wants one, or the other way round.
FileHeader read_header(std::span<const std::byte> file, const BlockSums& sums, const std::string& path);

/// The part of the description before the table of blocks.
std::vector<std::byte> write_description(const ContextDescription& description);

struct ParsedDescription {
  ContextDescription description;
  std::span<const std::byte> table;  ///< what follows
};
/// Throws Error{input} naming the field that is damaged.
ParsedDescription read_description(std::span<const std::byte> bytes, const std::string& path);

}  // namespace kvzip
