// `--keep`: how much of a document's memory stays, as people write it. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "kvzip/cache/shape.h"

namespace kvzip::cli {

struct KeepAmount {
  enum class Unit : uint8_t { ratio, bytes, tokens, automatic };
  Unit unit = Unit::ratio;
  double value = 1;  ///< a ratio in (0, 1], or bytes, or tokens; `automatic` is what the document bears, at most all
};

/// "0.3", "30%", "200MiB" (KiB, MiB, GiB, or KB, MB, GB in powers of ten), "1500tokens". Throws Error{usage} for
/// anything else.
KeepAmount parse_keep(std::string_view text);

/// Bytes of keys and values of a document that was read, by what compression does with them.
struct CacheBytes {
  size_t fixed = 0;     ///< never dropped: the system prompt and the windows of sliding layers
  size_t document = 0;  ///< the document's rows in global layers, nothing dropped

  size_t kept(double ratio) const { return fixed + static_cast<size_t>(static_cast<double>(document) * ratio); }
};
CacheBytes cache_bytes(const CacheShape& shape, size_t system_len, size_t document_len);

/// The fraction of the document's pairs, in (0, 1], that stays within `amount`; 1 for `automatic`, and where the
/// document takes less anyway. Throws Error{usage} where even the part that is never dropped takes more.
double keep_ratio(const KeepAmount& amount, const CacheShape& shape, size_t system_len, size_t document_len);

}  // namespace kvzip::cli
