#include "kvzip/text/train/unigram_trainer.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/text/train/piece_model.h"
#include "kvzip/text/train/seed_pieces.h"

namespace kvzip {
namespace {

using Pieces = std::vector<TrainingPiece>;

constexpr double kRarest = 0.5;

/// The derivative of the logarithm of the gamma function, for x > 0: by its recurrence up to 6, then by its asymptotic
/// series.
double digamma(double x) {
  double sum = 0;
  while (x < 6) sum -= 1 / x++;
  const double inverse = 1 / (x * x);
  return sum + std::log(x) - 0.5 / x - inverse * (1.0 / 12 - inverse * (1.0 / 120 - inverse / 252));
}

/// Single letters come first, and stay.
Pieces first_pieces(const LetterWords& words, const UnigramTrainingOptions& options) {
  const std::vector<uint64_t>& counts = words.letter_counts();
  Pieces pieces(counts.size() - 1);
  for (uint32_t place = static_cast<uint32_t>(words.letters().size()); place-- > 0;) {
    const Letter letter = words.letters()[place];
    if (letter != kNoLetter) pieces[letter - 1] = {place, 1, static_cast<double>(counts[letter])};
  }
  for (const SeedPiece& seed : seed_pieces(words, options.max_piece_length, options.seeds))
    pieces.push_back({seed.begin, seed.length, static_cast<double>(seed.count * seed.length)});
  const double sum = std::accumulate(pieces.begin(), pieces.end(), 0.0,
                                     [](double so_far, const TrainingPiece& piece) { return so_far + piece.score; });
  for (TrainingPiece& piece : pieces) piece.score = std::log(piece.score) - std::log(sum);
  return pieces;
}

/// One round of expectation maximization. The digamma function stands in for the logarithm, a sparse prior that lets
/// rare pieces fade (Liang and Klein 2007); pieces that are expected less often than `rarest` are dropped, but no
/// letter.
Pieces fitted(const LetterWords& words, const Pieces& pieces, double rarest) {
  const std::vector<double> expected = PieceModel(words, pieces).expected_counts();
  Pieces kept;
  std::vector<double> counts;
  for (size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].length > 1 && expected[i] < rarest) continue;
    kept.push_back(pieces[i]);
    counts.push_back(std::max(expected[i], kRarest));
  }
  const double all = digamma(std::accumulate(counts.begin(), counts.end(), 0.0));
  for (size_t i = 0; i < kept.size(); ++i) kept[i].score = digamma(counts[i]) - all;
  return kept;
}

/// What the likelihood of the corpus loses without each piece: its uses go to the pieces that spell it best without it.
std::vector<double> losses(const PieceModel& model, size_t pieces) {
  const std::vector<uint64_t> used = model.best_counts();
  const auto all = static_cast<double>(std::accumulate(used.begin(), used.end(), uint64_t{0}));
  std::vector<double> loss(pieces);
  parallel_ranges(pieces, 64, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const std::vector<uint32_t> others = model.alternative(static_cast<uint32_t>(i));
      if (used[i] == 0 || others.empty()) continue;
      const auto count = static_cast<double>(used[i]);
      const double all_then = std::log(all + count * static_cast<double>(others.size() - 1));
      double change = std::log(count) - std::log(all);
      for (const uint32_t other : others) change -= std::log(static_cast<double>(used[other]) + count) - all_then;
      loss[i] = count * change;
    }
  });
  return loss;
}

/// Keeps the `target` pieces that would be missed most, and all single letters.
Pieces shrunk(const LetterWords& words, const Pieces& pieces, size_t target) {
  const std::vector<double> loss = losses(PieceModel(words, pieces), pieces.size());
  std::vector<uint32_t> order(pieces.size());
  std::iota(order.begin(), order.end(), 0U);
  const auto letter = [&](uint32_t i) { return pieces[i].length == 1; };
  std::sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
    if (letter(a) != letter(b)) return letter(a);
    return loss[a] != loss[b] ? loss[a] > loss[b] : a < b;
  });
  order.resize(std::min(order.size(), target));
  std::sort(order.begin(), order.end());
  Pieces kept;
  for (const uint32_t i : order) kept.push_back(pieces[i]);
  return kept;
}

TrainedUnigram finished(const LetterWords& words, Pieces pieces) {
  TrainedUnigram trained;
  const std::vector<uint64_t> used = PieceModel(words, pieces).best_counts();
  trained.corpus_tokens = std::accumulate(used.begin(), used.end(), uint64_t{0});
  for (const TrainingPiece& piece : pieces)
    trained.pieces.emplace_back(words.spelled(words.letters().subspan(piece.begin, piece.length)), piece.score);
  std::sort(trained.pieces.begin(), trained.pieces.end(), [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  });
  return trained;
}

}  // namespace

TrainedUnigram train_unigram(const WordCounts& words, const UnigramTrainingOptions& options,
                             const ProgressFn& progress) {
  report(progress, {"fitting", 0, options.seeds});  // how many there will be isn't known yet
  const LetterWords corpus(words);
  Pieces pieces = first_pieces(corpus, options);
  const size_t letters = corpus.letter_counts().size() - 1;
  if (letters > options.pieces) {
    throw Error(ErrorCode::usage, fmt::format("--vocab-size: expected room for the {} different characters of the "
                                              "corpus and the special tokens, found room for {}",
                                              letters, options.pieces));
  }
  const size_t first = pieces.size();
  const size_t total = first > options.pieces ? first - options.pieces : 0;
  // The last rounds start from a little more than is wanted, so that fitting can still choose.
  const size_t nearly = options.pieces + options.pieces / 10;
  for (;;) {
    for (size_t round = 0; round < options.rounds_between; ++round) {
      pieces = fitted(corpus, pieces, kRarest);
      if (pieces.size() > options.pieces) report(progress, {"fitting", first - pieces.size(), total});
    }
    if (pieces.size() <= nearly) break;
    const auto smaller = static_cast<size_t>(static_cast<double>(pieces.size()) * options.shrinking);
    pieces = shrunk(corpus, pieces, std::max(nearly, smaller));
  }
  if (pieces.size() > options.pieces) pieces = shrunk(corpus, pieces, options.pieces);
  pieces = fitted(corpus, pieces, 0);
  report(progress, {"fitting", total, total});
  return finished(corpus, std::move(pieces));
}

}  // namespace kvzip
