// Cuts text into the words inside which byte-level BPE merges: one table of regular expressions, by the names that GGUF
// files use. Immutable once made; safe from any number of threads.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/regex.h"

namespace kvzip {

/// The regular expressions of the rules of that name, each for the pieces of the one before. Throws Error{unsupported}
/// where `name` is unknown.
const std::vector<std::string_view>& pre_tokenizer_patterns(std::string_view name);

class PreTokenizer {
 public:
  /// Throws Error{unsupported} that lists the known names where `name` is none of them.
  explicit PreTokenizer(std::string_view name);
  PreTokenizer(const PreTokenizer&) = delete;
  PreTokenizer& operator=(const PreTokenizer&) = delete;

  const std::string& name() const { return name_; }
  /// Whether a word that is a token as a whole is that token, even where merging would arrive at others (Llama 3).
  bool whole_words_first() const { return whole_words_first_; }

  /// Calls visit(word) for each word of `text`, in order; together they are the text. `text` must be valid UTF-8.
  void split(std::string_view text, const std::function<void(std::string_view)>& visit) const;

 private:
  void split_from(size_t stage, std::string_view text, const std::function<void(std::string_view)>& visit) const;

  std::string name_;
  bool whole_words_first_ = false;
  std::vector<Regex> stages_;  ///< each cuts the pieces of the one before
};

}  // namespace kvzip
