// The state in which merges are learnt: the corpus as tokens, the counts of their pairs and the queue of candidates.
// Belongs to one thread.
//
// What makes the result that of the package `tokenizers`, down to its corner cases:
// - a candidate keeps the count that its pair had when the candidate was made, and is put back with the present count
//   where that differs once it comes first;
// - a pair that appears again, because one token can be made in two ways, gets a second candidate for the new words
//   only, and merging one candidate leaves the words of the other for later;
// - merging a pair doesn't reset its count, and overlapping pairs (aaa) are only partly taken back;
// - a pair whose token would be too long isn't counted when it appears but is taken back when it goes.
#pragma once

#include <optional>
#include <vector>

#include "kvzip/text/train/bpe_alphabet.h"
#include "kvzip/text/train/merge_queue.h"
#include "kvzip/text/train/pair_counts.h"
#include "kvzip/text/train/pair_places.h"

namespace kvzip {

class BpeMerger {
 public:
  /// Counts all pairs of `words`. Tokens of `max_token_length` symbols or more are not made.
  BpeMerger(CountedSlots words, size_t max_token_length);

  /// The candidate to merge next, with its true count; none where no pair is left.
  std::optional<MergeCandidate> next();
  /// Makes `token` of the candidate's pair in all words where it appeared.
  void merge(const MergeCandidate& candidate, TokenId token);
  /// Tokens that the corpus has now.
  uint64_t corpus_tokens() const { return corpus_tokens_; }

 private:
  /// What a merge does to the pairs of one neighbouring token.
  struct Neighbour {
    int64_t lost = 0;                     ///< of the pair with the near half
    int64_t gained = 0;                   ///< of the pair with the merged token
    uint32_t appeared = 0;                ///< places where the latter appeared,
    uint32_t list = PairCounts::kNoList;  ///< the list they go to,
    uint32_t listed = 0;                  ///< and how many are there
    bool touched = false;
  };
  struct Appearance {
    TokenId neighbour = -1;
    uint32_t slot = 0;
  };
  /// Neighbours on one side, dense by token, so that a merge touches the table of counts once per pair.
  struct Side {
    std::vector<Neighbour> by_token;
    std::vector<TokenId> touched;
    std::vector<Appearance> appearances;
  };

  void count_all_pairs();
  std::vector<uint32_t> gather_places(const MergeCandidate& candidate);
  void merge_at(uint32_t slot, uint32_t behind, TokenId token, uint64_t count);
  static Neighbour& neighbour(Side& side, TokenId token);
  void settle(TokenPair merged, TokenId token);
  void list_appearances(Side& side);

  TokenSlots slots_;
  std::vector<CountRange> ranges_;
  uint64_t max_length_;
  uint64_t corpus_tokens_;
  PairCounts counts_;
  PairPlaces places_;
  MergeQueue queue_;
  Side left_;
  Side right_;
};

}  // namespace kvzip
