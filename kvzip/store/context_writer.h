// Writing a context to a file. Functions are safe from any number of threads, as far as the context's backend is.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/base/byte_sink.h"
#include "kvzip/base/progress.h"
#include "kvzip/cache/context.h"
#include "kvzip/store/context_description.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// A context and where it came from.
struct ContextOrigin {
  std::span<const TokenId> system;
  std::span<const TokenId> document;
  std::string_view text;  ///< what the document's tokens were made of
  std::string title;
  std::string model_name;
  Fingerprint fingerprint;
  std::string scoring = "exact";
  Level level = Level::pair;
  bool given_head_scores = false;  ///< Level::head by scores that aren't the document's own
  double ratio = 1;                ///< that was asked for; more can't be asked for later
};

struct WriteOptions {
  bool zstd = false;                         ///< for cold storage: fewer bytes, which can't be used where they lie
  std::optional<ContextKey> key{};           ///< sums that only its holders can make
  uint64_t most_bytes = uint64_t{1} << 50U;  ///< a larger file (before zstd) is refused before anything is written
  ProgressFn progress{};                     ///< stage "writing", in bytes
};

/// Makes or replaces the file at `path`, wholly or not at all. The same context gives the same bytes. Returns the
/// file's size. Throws Error{input} where it can't be written, Error{cancelled}.
uint64_t write_context(const std::string& path, const Context& context, const ContextOrigin& origin,
                       const WriteOptions& options = {});
/// The file's bytes, wherever they go; `name` is what errors call it.
uint64_t write_context(ByteSink& out, const std::string& name, const Context& context, const ContextOrigin& origin,
                       const WriteOptions& options = {});

}  // namespace kvzip
