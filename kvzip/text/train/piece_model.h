// A Unigram model in training: pieces with their log probabilities, and what a corpus says about them. Immutable once
// made; its functions use all threads, and their results don't depend on how many there are.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kvzip/text/train/letter_words.h"
#include "kvzip/text/train/piece_trie.h"

namespace kvzip {

/// A piece by one place where it is spelled.
struct TrainingPiece {
  uint32_t begin = 0;  ///< in LetterWords::letters()
  uint32_t length = 0;
  double score = 0;  ///< log probability
};

class PieceModel {
 public:
  /// Keeps views of both, which must outlive it. Every letter of `words` must be a piece.
  PieceModel(const LetterWords& words, std::span<const TrainingPiece> pieces);

  /// How often each piece is expected to be used, over all ways to spell each word, weighted by their probabilities
  /// (the E step).
  std::vector<double> expected_counts() const;
  /// How often each piece is used in the best spellings of all words.
  std::vector<uint64_t> best_counts() const;
  /// The best spelling of a piece's own letters by other pieces, the last one first; empty for single letters.
  std::vector<uint32_t> alternative(uint32_t piece) const;

 private:
  struct Work;
  void add_expected(const LetterWords::Word& word, Work& work) const;
  /// False, with nothing added, where numbers leave their range.
  template <class Sums>
  bool add_shares(const LetterWords::Word& word, std::span<const double> weights, Work& work) const;
  void add_best(const LetterWords::Word& word, Work& work) const;
  template <class Visit>
  void best_spelling(std::span<const Letter> letters, uint32_t without, Work& work, Visit visit) const;
  template <class Add>
  std::vector<int64_t> sum_over_words(const Add& add) const;

  const LetterWords& words_;
  std::span<const TrainingPiece> pieces_;
  PieceTrie trie_;
  std::vector<double> logs_;     ///< by piece
  std::vector<double> weights_;  ///< by piece: probabilities, raised by what its letters cost on average
};

}  // namespace kvzip
