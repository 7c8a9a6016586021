#include "kvzip/text/train/unigram_trainer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/text/test_text.h"
#include "kvzip/text/train/piece_model.h"
#include "kvzip/text/train/seed_pieces.h"

namespace kvzip {
namespace {

WordCounts random_words(Random& random, std::string_view alphabet, size_t words, size_t longest) {
  WordCounts counts;
  for (size_t i = 0; i < words; ++i) counts.add(random.of(alphabet, 1 + random.number(longest)), 1 + random.number(4));
  return counts;
}

std::string spelled(const LetterWords& words, uint32_t begin, uint32_t length) {
  return words.spelled(words.letters().subspan(begin, length));
}

/// All substrings with their counts, one by one.
std::map<std::string, uint64_t> substring_counts(const WordCounts& words, size_t longest) {
  std::map<std::string, uint64_t> counts;
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string_view text = words[i].text;
    for (size_t begin = 0; begin < text.size(); ++begin) {
      for (size_t length = 1; length <= longest && begin + length <= text.size(); ++length)
        counts[std::string(text.substr(begin, length))] += words[i].count;
    }
  }
  return counts;
}

TEST(SeedPieces, AreTheRepeatedSubstringsThatCantGrow) {
  Random random(1);
  for (int round = 0; round < 60; ++round) {
    const WordCounts counts = random_words(random, std::string_view("abcd").substr(0, 1 + random.number(4)),
                                           1 + random.number(40), 1 + random.number(12));
    const size_t longest = 2 + random.number(6);
    const std::map<std::string, uint64_t> all = substring_counts(counts, longest + 1);
    std::map<std::string, uint64_t> expected;
    for (const auto& [text, count] : all) {
      if (text.size() < 2 || text.size() > longest || count < 2) continue;
      bool grows = false;
      for (const char letter : std::string("abcd")) {
        const auto longer = all.find(text + letter);
        grows = grows || (text.size() < longest && longer != all.end() && longer->second == count);
      }
      if (!grows) expected[text] = count;
    }
    const LetterWords words(counts);
    std::map<std::string, uint64_t> found;
    for (const SeedPiece& seed : seed_pieces(words, longest, 1'000'000)) {
      EXPECT_TRUE(found.emplace(spelled(words, seed.begin, seed.length), seed.count).second) << "twice";
    }
    EXPECT_EQ(found, expected) << "round " << round;
  }
}

TEST(SeedPieces, OnlyTheWeightiestAreKept) {
  Random random(2);
  const LetterWords words(random_words(random, "abc", 200, 10));
  const std::vector<SeedPiece> all = seed_pieces(words, 8, 1'000'000);
  const std::vector<SeedPiece> few = seed_pieces(words, 8, 10);
  ASSERT_EQ(few.size(), 10U);
  for (size_t i = 0; i < few.size(); ++i) {
    EXPECT_EQ(few[i].begin, all[i].begin);
    EXPECT_EQ(few[i].length, all[i].length);
  }
}

/// Letters first, then every substring of 2 and 3 letters, with random probabilities.
std::vector<TrainingPiece> random_pieces(Random& random, const LetterWords& words, double lowest) {
  std::vector<TrainingPiece> pieces;
  std::set<std::string> seen;
  for (uint32_t length = 1; length <= 3; ++length) {
    for (uint32_t begin = 1; begin + length < words.letters().size(); ++begin) {
      const auto letters = words.letters().subspan(begin, length);
      if (std::find(letters.begin(), letters.end(), kNoLetter) != letters.end()) continue;
      if (seen.insert(words.spelled(letters)).second)
        pieces.push_back({begin, length, lowest * static_cast<double>(random.number(1000)) / 1000});
    }
  }
  return pieces;
}

/// Calls visit(pieces) for each way to spell text[at..).
template <class Visit>
void for_each_spelling(const std::string& text, const std::map<std::string, uint32_t>& pieces,
                       std::vector<uint32_t>& path, const Visit& visit) {
  if (text.empty()) return visit(path);
  for (size_t length = 1; length <= std::min<size_t>(3, text.size()); ++length) {
    const auto piece = pieces.find(text.substr(0, length));
    if (piece == pieces.end()) continue;
    path.push_back(piece->second);
    for_each_spelling(text.substr(length), pieces, path, visit);
    path.pop_back();
  }
}

// Against all spellings, one by one. Very low scores make the sums of probabilities leave the range of numbers, so that
// logarithms take over.
TEST(PieceModel, ExpectsWhatAllSpellingsTogetherDo) {
  Random random(3);
  for (const double lowest : {-5.0, -500.0}) {
    const WordCounts counts = random_words(random, "abc", 20, 11);
    const LetterWords words(counts);
    const std::vector<TrainingPiece> pieces = random_pieces(random, words, lowest);
    std::map<std::string, uint32_t> index;
    for (uint32_t i = 0; i < pieces.size(); ++i) index[spelled(words, pieces[i].begin, pieces[i].length)] = i;
    std::vector<double> expected(pieces.size());
    std::vector<uint64_t> best(pieces.size());
    for (size_t w = 0; w < counts.size(); ++w) {
      const auto score_of = [&](const std::vector<uint32_t>& path) {
        double score = 0;
        for (const uint32_t piece : path) score += pieces[piece].score;
        return score;
      };
      double highest = -1e300;
      std::vector<uint32_t> best_path;
      std::vector<uint32_t> path;
      const std::string text(counts[w].text);
      for_each_spelling(text, index, path, [&](const std::vector<uint32_t>& each) {
        if (score_of(each) > highest) best_path = each;
        highest = std::max(highest, score_of(each));
      });
      double whole = 0;
      for_each_spelling(text, index, path, [&](const auto& each) { whole += std::exp(score_of(each) - highest); });
      for_each_spelling(text, index, path, [&](const std::vector<uint32_t>& each) {
        const double share = std::exp(score_of(each) - highest) / whole;
        for (const uint32_t piece : each) expected[piece] += static_cast<double>(counts[w].count) * share;
      });
      for (const uint32_t piece : best_path) best[piece] += counts[w].count;
    }
    const PieceModel model(words, pieces);
    const std::vector<double> found = model.expected_counts();
    for (size_t i = 0; i < pieces.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-4);
    EXPECT_EQ(model.best_counts(), best);
    for (uint32_t i = 0; i < pieces.size(); ++i) {
      std::string text;
      for (const uint32_t other : model.alternative(i)) {
        EXPECT_NE(other, i);
        text.insert(0, spelled(words, pieces[other].begin, pieces[other].length));
      }
      EXPECT_EQ(text, pieces[i].length == 1 ? "" : spelled(words, pieces[i].begin, pieces[i].length));
    }
  }
}

/// Words made of a few stems and endings, as languages have them.
WordCounts made_words(Random& random) {
  const std::vector<std::string> stems = {"light", "house", "keep", "lamp", "walk", "play", "sail", "storm"};
  const std::vector<std::string> endings = {"", "s", "er", "ers", "ing", "ed"};
  WordCounts counts;
  for (int i = 0; i < 3000; ++i)
    counts.add(stems[random.number(stems.size())] + endings[random.number(endings.size())]);
  return counts;
}

TEST(UnigramTrainer, FindsWhatWordsAreMadeOf) {
  Random random(4);
  const TrainedUnigram trained = train_unigram(made_words(random), {.pieces = 40}, {});
  std::set<std::string> pieces;
  double sum = 0;
  for (const auto& [piece, score] : trained.pieces) {
    pieces.insert(piece);
    sum += std::exp(score);
  }
  EXPECT_EQ(pieces.size(), trained.pieces.size());
  EXPECT_LE(trained.pieces.size(), 40U);
  for (const char* piece : {"light", "house", "lamp", "storm", "l", "z"})
    EXPECT_EQ(pieces.contains(piece), std::string(piece) != "z") << piece;
  EXPECT_NEAR(sum, 1, 0.1);
  EXPECT_LT(trained.corpus_tokens, 3000U * 2 + 1) << "two a word, of six letters";
  EXPECT_TRUE(std::is_sorted(trained.pieces.begin(), trained.pieces.end(),
                             [](const auto& a, const auto& b) { return a.second > b.second; }));
}

TEST(UnigramTrainer, TheSameForAnyNumberOfThreads) {
  Random random(5);
  const WordCounts words = random_words(random, "abcdefgh", 2000, 14);
  std::vector<TrainedUnigram> trained;
  for (const size_t threads : {1U, 2U, 5U}) {
    set_thread_count(threads);
    trained.push_back(train_unigram(words, {.pieces = 300}, {}));
  }
  set_thread_count(0);
  EXPECT_EQ(trained[0].pieces.size(), 300U);
  EXPECT_EQ(trained[0].pieces, trained[1].pieces);
  EXPECT_EQ(trained[0].pieces, trained[2].pieces);
}

TEST(UnigramTrainer, LongWordsAreCut) {
  WordCounts words;
  words.add(std::string(300'000, 'a') + "é");
  const TrainedUnigram trained = train_unigram(words, {.pieces = 10}, {});
  EXPECT_LT(trained.corpus_tokens, 300'000U / 8);
  EXPECT_LE(trained.pieces.size(), 10U);
}

TEST(UnigramTrainer, AllCharactersMustFit) {
  WordCounts words;
  words.add("abcdef");
  EXPECT_EQ(train_unigram(words, {.pieces = 6}, {}).pieces.size(), 6U);
  EXPECT_THROW(train_unigram(words, {.pieces = 5}, {}), Error);
  EXPECT_TRUE(train_unigram({}, {}, {}).pieces.empty());
}

TEST(UnigramTrainer, CanBeCancelled) {
  Random random(6);
  const WordCounts words = random_words(random, "abcdefgh", 2000, 14);
  try {
    train_unigram(words, {.pieces = 50}, [](const Progress&) { return false; });
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
}

}  // namespace
}  // namespace kvzip
