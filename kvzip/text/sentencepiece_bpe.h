// SentencePiece's byte pair encoding: characters merge into the token with the highest score; a space is spelled
// U+2581. Immutable once made; safe from any number of threads.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/byte_fallback.h"
#include "kvzip/text/encode_work.h"
#include "kvzip/text/token_index.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {

/// What SentencePiece BPE merges by. All of it must outlive the SentencePieceBpe.
struct SentencePieceBpeTables {
  const std::vector<std::string>& tokens;
  const std::vector<TokenKind>& kinds;  ///< empty: all normal
  const TokenIndex& index;
  const ByteFallback& fallback;
};

class SentencePieceBpe {
 public:
  /// `scores` are by id. With `split_unused`, unused tokens take part in merging and are taken apart again at the end,
  /// as in SentencePiece itself; without, only normal tokens come out of merging. Throws Error{input} where the scores
  /// are not one finite number per token.
  SentencePieceBpe(const SentencePieceBpeTables& tables, std::vector<float> scores, bool split_unused);

  /// Appends the ids of `text`, where spaces may be written as such or as U+2581; with `space_before`, as if a space
  /// stood before it. The bytes of `text` outlive `work`.
  void encode(std::string_view text, bool space_before, EncodeWork& work) const;
  /// The first place at or behind `from`, which is at least 1, where the text can be cut into two that have the same
  /// ids; the end where there is none.
  size_t find_cut(std::string_view text, size_t from) const {
    return has_unused_ ? text.size() : word_end(text, from - 1);
  }

 private:
  class Unmerging;

  void encode_words(std::string_view text, bool space_before, bool& met_unused, EncodeWork& work) const;
  void encode_word(std::string_view word, bool space_before, Unmerging& unmerging, EncodeWork& work) const;
  /// The token that merging may make of these characters, and its rank. Merge{} where there is none.
  Merge token_of(std::string_view spelling) const;
  size_t word_end(std::string_view text, size_t begin) const;
  bool is_unused(TokenId id) const { return split_unused_ && kind(id) == TokenKind::unused; }
  TokenKind kind(TokenId id) const {
    return tables_.kinds.empty() ? TokenKind::normal : tables_.kinds[static_cast<size_t>(id)];
  }

  SentencePieceBpeTables tables_;
  std::vector<float> scores_;
  bool split_unused_;
  bool has_unused_ = false;              ///< and takes them apart
  size_t longest_ = 0;                   ///< bytes of the longest token
  std::array<bool, 256> joins_space_{};  ///< by byte: whether any token has a space right behind it
};

}  // namespace kvzip
