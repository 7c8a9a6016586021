// The classic ways of cutting a text into pieces, side by side: what `kvzip tokenize --kind` shows. Stateless.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvzip/cli/progress_bar.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip::cli {

/// "whitespace", "word", ... in the order in which they are shown.
const std::vector<std::string>& splitting_kinds();

/// One way of cutting a text, and what came of it.
struct Splitting {
  std::string kind;
  std::string rule;             ///< how it cuts, in one line
  std::string vocabulary = {};  ///< whose vocabulary it uses; empty: it needs none
  size_t pieces = 0;
  size_t distinct = 0;
  double bytes_each = 0;       ///< of the whole text, spaces included
  double characters_each = 0;  ///< of the pieces as they are shown
  std::optional<size_t> vocabulary_size = {};
  std::optional<size_t> unknown = {};  ///< pieces that the vocabulary can't spell
  std::vector<std::pair<std::string, uint64_t>> frequent = {};
  std::vector<std::string> beginning = {};  ///< the first pieces
};

struct SplittingText {
  std::string name;  ///< for errors
  std::string_view text;
};

/// Cuts `text` in that way. `tokenizer` is used where it is of that kind; null: kinds that need a vocabulary learn a
/// small one from the text itself, with progress on `bar`. Throws Error{cancelled} at Ctrl-C.
Splitting split_text(const std::string& kind, const SplittingText& text, const Tokenizer* tokenizer, ProgressBar& bar);

/// "bpe", "wordpiece" or "unigram"; empty where it is something else.
std::string kind_of(const Tokenizer& tokenizer);

}  // namespace kvzip::cli
