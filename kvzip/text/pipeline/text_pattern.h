// What Split and Replace look for in a text: a string or a regular expression. Immutable once made; safe from any
// number of threads.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kvzip/text/pipeline/component.h"
#include "kvzip/text/regex.h"

namespace kvzip {

class TextPattern {
 public:
  /// The field "pattern": {"String": text} or {"Regex": pattern}.
  explicit TextPattern(const Component& component);

  /// Whether it is one of the patterns that end a word at every find_word_cut().
  bool ends_words_at_cuts() const { return ends_words_at_cuts_; }

  /// Calls visit(part, is_match) for the matches, which may be empty, and for what lies between them; together they are
  /// `text`, which must be valid UTF-8.
  template <class Visit>
  void split(std::string_view text, Visit visit) const {
    if (regex_) return regex_->split(text, visit);
    size_t at = 0;
    for (size_t hit = text.find(string_); hit != std::string_view::npos; hit = text.find(string_, at)) {
      if (hit > at) visit(text.substr(at, hit - at), false);
      visit(text.substr(hit, string_.size()), true);
      at = hit + string_.size();
    }
    if (at < text.size()) visit(text.substr(at), false);
  }

 private:
  std::string string_;
  std::optional<Regex> regex_;
  bool ends_words_at_cuts_ = false;
};

}  // namespace kvzip
