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

  /// Calls visit(part) for the parts of `word`, which together are the word.
  template <class Visit>
  void split(std::string_view word, Visit visit) const {
    size_t begin = 0;
    if (!mark_.empty()) {
      for (size_t at = word.find(mark_, 1); at != std::string_view::npos; at = word.find(mark_, at + mark_.size())) {
        if (joined_[static_cast<uint8_t>(word[at - 1])]) continue;
        visit(word.substr(begin, at - begin));
        begin = at;
      }
    }
    visit(word.substr(begin));
  }

 private:
  std::string mark_;
  std::array<bool, 256> joined_{};  ///< by byte: whether a merge joins it to a mark right behind it
};

}  // namespace kvzip
