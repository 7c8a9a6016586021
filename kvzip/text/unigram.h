// The Unigram language model of SentencePiece (Kudo 2018): of all ways to spell a text with pieces, the one whose
// scores, which are log probabilities, have the largest sum. Immutable once made; safe from any number of threads.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kvzip/text/byte_fallback.h"
#include "kvzip/text/byte_trie.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {

struct UnigramOptions {
  /// The token of characters that are no piece; -1: they are left out.
  TokenId unknown = -1;
  /// Characters that are no piece become the pieces <0x00> to <0xFF> of their bytes, where all of those exist.
  bool byte_fallback = false;
  /// By id; empty: all are ordinary pieces, as in tokenizer.json. With kinds only normal and user-defined pieces are
  /// found in text, and a user-defined one wins over what is inside it.
  std::vector<TokenKind> kinds = {};
  /// Sums are 32 bits wide, as in SentencePiece itself; the package `tokenizers` uses 64. Where two spellings score
  /// almost the same, this decides between them.
  bool single_precision = false;
};

class Unigram {
 public:
  /// The spelling and score of each id. Where two are spelled alike the later one counts.
  /// Throws Error{input} where a score is no finite number or the unknown id is not in the list.
  Unigram(const std::vector<std::pair<std::string, double>>& pieces, const UnigramOptions& options);

  /// Appends the ids of `text`, which is already normalized and cut (spaces are spelled U+2581 where the pieces do so).
  /// Neighbouring characters that are no piece become one unknown token. Linear in the text times the longest piece;
  /// the memory in use doesn't grow with the text.
  void encode(std::string_view text, std::vector<TokenId>& ids) const;

 private:
  template <class Score>
  class Lattice;
  class Output;

  ByteTrie trie_;
  std::vector<double> scores_;
  std::vector<bool> bonus_;  ///< by id: user-defined; empty where none is
  double unknown_score_ = 0;
  std::string unknown_spelling_;
  ByteFallback fallback_;
  bool single_precision_;
};

}  // namespace kvzip
