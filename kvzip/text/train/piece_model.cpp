#include "kvzip/text/train/piece_model.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>

#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

constexpr double kNever = -std::numeric_limits<double>::infinity();
constexpr size_t kWordsAtOnce = 256;
// Expected counts are summed as whole numbers of this fraction, so that their order doesn't matter.
constexpr double kUnit = 1.0 / (1 << 20);

/// Sums of products of probabilities, as they are. Quick, but long words leave the range of numbers.
struct PlainSums {
  static constexpr double kZero = 0;
  static constexpr double kOne = 1;
  static double add(double a, double b) { return a + b; }
  static double multiply(double a, double b) { return a * b; }
  static double quotient(double a, double b) { return a / b; }
  static bool is_sound(double whole) { return whole > 1e-200 && whole < 1e200; }
};

/// The same as logarithms.
struct LogSums {
  static constexpr double kZero = kNever;
  static constexpr double kOne = 0;
  static double add(double a, double b) {
    const double most = std::max(a, b);
    return most == kNever ? kNever : most + std::log1p(std::exp(std::min(a, b) - most));
  }
  static double multiply(double a, double b) { return a + b; }
  static double quotient(double a, double b) { return std::exp(a - b); }
  static bool is_sound(double /*whole*/) { return true; }
};

/// What a letter costs on average: -log probability.
double cost_of_letter(std::span<const TrainingPiece> pieces) {
  double cost = 0;
  double letters = 0;
  for (const TrainingPiece& piece : pieces) {
    const double probability = std::exp(piece.score);
    cost -= probability * piece.score;
    letters += probability * piece.length;
  }
  return letters > 0 ? cost / letters : 0;
}

}  // namespace

/// What one thread works with.
struct PieceModel::Work {
  struct Edge {
    uint32_t begin;
    uint32_t end;
    uint32_t piece;
  };
  std::vector<Edge> edges;
  std::vector<double> forward;   ///< by end
  std::vector<double> backward;  ///< by begin
  std::vector<Edge> best;        ///< by end: the last piece of the best spelling
  std::vector<int64_t> sums;     ///< by piece
};

PieceModel::PieceModel(const LetterWords& words, std::span<const TrainingPiece> pieces)
    : words_(words), pieces_(pieces), trie_(pieces.size() * 2) {
  for (size_t i = 0; i < pieces.size(); ++i)
    trie_.add(words.letters().subspan(pieces[i].begin, pieces[i].length), static_cast<uint32_t>(i));
  // The same factor for every letter changes no share, and keeps products near 1.
  const double cost = cost_of_letter(pieces);
  for (const TrainingPiece& piece : pieces) {
    logs_.push_back(piece.score);
    weights_.push_back(std::exp(piece.score + cost * piece.length));
  }
}

template <class Add>
std::vector<int64_t> PieceModel::sum_over_words(const Add& add) const {
  const std::vector<LetterWords::Word>& words = words_.words();
  std::vector<Work> work(thread_count());
  for (Work& each : work) each.sums.resize(pieces_.size());
  std::atomic<size_t> next{0};
  parallel_run(work.size(), [&](size_t thread) {
    for (size_t begin = next.fetch_add(kWordsAtOnce); begin < words.size(); begin = next.fetch_add(kWordsAtOnce)) {
      const size_t end = std::min(words.size(), begin + kWordsAtOnce);
      for (size_t i = begin; i < end; ++i) add(words[i], work[thread]);
    }
  });
  for (size_t i = 1; i < work.size(); ++i) {
    for (size_t piece = 0; piece < pieces_.size(); ++piece) work[0].sums[piece] += work[i].sums[piece];
  }
  return std::move(work[0].sums);
}

std::vector<double> PieceModel::expected_counts() const {
  const std::vector<int64_t> sums =
      sum_over_words([this](const LetterWords::Word& word, Work& work) { add_expected(word, work); });
  std::vector<double> expected(sums.size());
  std::transform(sums.begin(), sums.end(), expected.begin(),
                 [](int64_t sum) { return static_cast<double>(sum) * kUnit; });
  return expected;
}

void PieceModel::add_expected(const LetterWords::Word& word, Work& work) const {
  if (!add_shares<PlainSums>(word, weights_, work)) add_shares<LogSums>(word, logs_, work);
}

template <class Sums>
bool PieceModel::add_shares(const LetterWords::Word& word, std::span<const double> weights, Work& work) const {
  const std::span<const Letter> letters = words_.letters_of(word);
  work.edges.clear();
  work.forward.assign(letters.size() + 1, Sums::kZero);
  work.backward.assign(letters.size() + 1, Sums::kZero);
  work.forward[0] = work.backward[letters.size()] = Sums::kOne;
  for (uint32_t begin = 0; begin < letters.size(); ++begin) {
    trie_.prefixes(letters.subspan(begin), [&](size_t length, uint32_t piece) {
      const auto end = begin + static_cast<uint32_t>(length);
      work.edges.push_back({begin, end, piece});
      work.forward[end] = Sums::add(work.forward[end], Sums::multiply(work.forward[begin], weights[piece]));
    });
  }
  const double whole = work.forward[letters.size()];
  if (!Sums::is_sound(whole)) return false;
  for (auto edge = work.edges.rbegin(); edge != work.edges.rend(); ++edge) {
    const double rest = Sums::multiply(weights[edge->piece], work.backward[edge->end]);
    work.backward[edge->begin] = Sums::add(work.backward[edge->begin], rest);
    const double share = Sums::quotient(Sums::multiply(work.forward[edge->begin], rest), whole);
    work.sums[edge->piece] += std::llround(static_cast<double>(word.count) / kUnit * share);
  }
  return true;
}

template <class Visit>
void PieceModel::best_spelling(std::span<const Letter> letters, uint32_t without, Work& work, Visit visit) const {
  work.forward.assign(letters.size() + 1, kNever);
  work.best.resize(letters.size() + 1);
  work.forward[0] = 0;
  for (uint32_t begin = 0; begin < letters.size(); ++begin) {
    trie_.prefixes(letters.subspan(begin), [&](size_t length, uint32_t piece) {
      const auto end = begin + static_cast<uint32_t>(length);
      const double score = work.forward[begin] + pieces_[piece].score;
      if (piece == without || score <= work.forward[end]) return;
      work.forward[end] = score;
      work.best[end] = {begin, end, piece};
    });
  }
  for (auto end = static_cast<uint32_t>(letters.size()); end > 0; end = work.best[end].begin)
    visit(work.best[end].piece);
}

void PieceModel::add_best(const LetterWords::Word& word, Work& work) const {
  best_spelling(words_.letters_of(word), PieceTrie::kNone, work,
                [&](uint32_t piece) { work.sums[piece] += static_cast<int64_t>(word.count); });
}

std::vector<uint64_t> PieceModel::best_counts() const {
  const std::vector<int64_t> sums =
      sum_over_words([this](const LetterWords::Word& word, Work& work) { add_best(word, work); });
  return {sums.begin(), sums.end()};
}

std::vector<uint32_t> PieceModel::alternative(uint32_t piece) const {
  std::vector<uint32_t> pieces;
  const TrainingPiece& own = pieces_[piece];
  if (own.length < 2) return pieces;
  Work work;
  best_spelling(words_.letters().subspan(own.begin, own.length), piece, work,
                [&](uint32_t each) { pieces.push_back(each); });
  return pieces;
}

}  // namespace kvzip
