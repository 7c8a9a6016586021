// Where a text without a pre-tokenizer may be cut into words, without any change to what BPE makes of it: before a mark
// (U+2581 or a space) behind a byte that no merge joins to it. Words that come again are then encoded once, and merging
// needs little memory. Immutable; safe from any number of threads.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/text/pipeline/bpe_merges.h"

namespace kvzip {

class WordCuts {
 public:
  /// Never cuts.
  WordCuts() = default;
  /// `opaque`: tokens that stand for other characters than those they are spelled with; -1 among them is ignored.
  WordCuts(const PipelineModel& model, std::span<const BpeMerge> merges, std::span<const TokenId> opaque);

  /// The first cut at or behind `from`, which is at least 1; the end of the text where there is none.
  size_t find(std::string_view text, size_t from) const {
    if (mark_.empty()) return text.size();
    for (size_t at = text.find(mark_, from); at != std::string_view::npos; at = text.find(mark_, at + mark_.size())) {
      if (!joined_[static_cast<uint8_t>(text[at - 1])]) return at;
    }
    return text.size();
  }

  /// Calls visit(part) for the parts of `word`, which together are the word.
  template <class Visit>
  void split(std::string_view word, Visit visit) const {
    size_t begin = 0;
    for (size_t at = find(word, 1); at < word.size(); at = find(word, at + 1)) {
      visit(word.substr(begin, at - begin));
      begin = at;
    }
    visit(word.substr(begin));
  }

 private:
  std::string mark_;
  std::array<bool, 256> joined_{};  ///< by byte: whether a merge joins it to a mark right behind it
};

}  // namespace kvzip
