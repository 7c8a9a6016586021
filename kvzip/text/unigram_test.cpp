#include "kvzip/text/unigram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using Pieces = std::vector<std::pair<std::string, double>>;
using Ids = std::vector<TokenId>;

Ids encode(const Unigram& model, std::string_view text) {
  Ids ids;
  model.encode(text, ids);
  return ids;
}

/// Random pieces over a, b and c; the letters a and b always are pieces, c and others may be unknown.
Pieces random_pieces(Random& random) {
  // Sums of these are exact, so that the order of summing can't decide between two spellings.
  const auto score = [&] { return -1 - static_cast<double>(random.number(100000)) / 8192; };
  Pieces pieces = {{"<unk>", 0}, {"a", score()}, {"b", score()}};
  for (int i = 0; i < 30; ++i) pieces.emplace_back(random.of("abc", 2 + random.number(4)), score());
  return pieces;
}

/// The definition: the largest sum over all spellings, by trying out every last piece.
double best_sum(const Pieces& pieces, std::string_view text, double unknown_score) {
  std::vector<double> best(text.size() + 1, -std::numeric_limits<double>::infinity());
  best[0] = 0;
  for (size_t end = 1; end <= text.size(); ++end) {
    for (size_t begin = 0; begin < end; ++begin) {
      const std::string_view part = text.substr(begin, end - begin);
      double score =
          part.size() == 1 && part != "a" && part != "b" ? unknown_score : -std::numeric_limits<double>::infinity();
      for (const auto& [spelling, piece_score] : pieces) {
        if (spelling == part) score = piece_score;  // the last one counts
      }
      best[end] = std::max(best[end], best[begin] + score);
    }
  }
  return best.back();
}

TEST(Unigram, FindsTheSpellingWithTheLargestSum) {
  Random random(21);
  for (int round = 0; round < 150; ++round) {
    const Pieces pieces = random_pieces(random);
    const Unigram model(pieces, {.unknown = 0, .single_precision = round % 3 == 0});
    double lowest = 0;
    for (const auto& [spelling, score] : pieces) lowest = std::min(lowest, score);
    const std::string text = random.of(round % 2 == 0 ? "ab" : "abcd", 1 + random.number(60));
    double sum = 0;
    size_t at = 0;
    const Ids ids = encode(model, text);
    for (size_t i = 0; i < ids.size(); ++i) {
      ASSERT_FALSE(i > 0 && ids[i] == 0 && ids[i - 1] == 0) << "unknown characters in a row are one token";
      if (ids[i] != 0) {
        const auto& [spelling, score] = pieces[static_cast<size_t>(ids[i])];
        ASSERT_EQ(text.substr(at, spelling.size()), spelling);
        at += spelling.size();
        sum += score;
        continue;
      }
      do {
        ++at;
        sum += lowest - 10;
        // An unknown run ends where the next token fits; with c and d unknown alone, that is the first a or b, or a
        // longer piece that begins with c.
      } while (at < text.size() &&
               (i + 1 == ids.size() || text.substr(at, pieces[static_cast<size_t>(ids[i + 1])].first.size()) !=
                                           pieces[static_cast<size_t>(ids[i + 1])].first));
    }
    ASSERT_EQ(at, text.size());
    EXPECT_NEAR(sum, best_sum(pieces, text, lowest - 10), 1e-3) << text;
  }
}

TEST(Unigram, LongTextsAreTheirPartsWhereNoPieceReachesAcross) {
  // Far beyond the window: the words are independent, as no piece holds the separator and a letter.
  Random random(22);
  Pieces pieces = random_pieces(random);
  pieces.emplace_back("|", -2.0);
  const auto bar = static_cast<TokenId>(pieces.size()) - 1;
  const Unigram model(pieces, {.unknown = 0});
  std::string text;
  Ids expected;
  while (text.size() < 300'000) {
    const std::string word = random.of("ab", 1 + random.number(400));
    const Ids ids = encode(model, word);
    expected.insert(expected.end(), ids.begin(), ids.end());
    expected.push_back(bar);
    text += word + "|";
  }
  EXPECT_EQ(encode(model, text), expected);
}

TEST(Unigram, LongRunsAndPiecesLongerThanTheWindow) {
  const std::string giant = "a" + std::string(150'000, 'b');
  const Unigram model({{"<unk>", 0}, {"a", -1}, {giant, -2}, {"b", -1}}, {.unknown = 0});
  EXPECT_EQ(encode(model, giant + "b" + giant), (Ids{2, 3, 2}));
  EXPECT_EQ(encode(model, giant.substr(1)), Ids(150'000, 3));
  EXPECT_EQ(encode(model, std::string(1'000'000, 'z')), Ids{0});
}

TEST(Unigram, OfEqualSumsTheOneFoundFirstWins) {
  // a|bc and ab|c have the same sum: the longer last piece was offered first.
  const Unigram model({{"<unk>", 0}, {"a", -1}, {"b", -5}, {"c", -1}, {"ab", -1}, {"bc", -1}}, {.unknown = 0});
  EXPECT_EQ(encode(model, "abc"), (Ids{1, 5}));
}

TEST(Unigram, UnknownCharactersBecomeBytesOrOneTokenOrNothing) {
  Pieces pieces = {{"<unk>", 0}, {"a", -1}, {"<0xC3>", 0}, {"<0xA9>", 0}};
  EXPECT_EQ(encode(Unigram(pieces, {.unknown = 0, .byte_fallback = true}), "a\u00E9\u00E9z"), (Ids{1, 0}))
      << "a byte of the run has no token";
  EXPECT_EQ(encode(Unigram(pieces, {.unknown = 0, .byte_fallback = true}),
                   "\u00E9\u00E9"
                   "a"),
            (Ids{2, 3, 2, 3, 1}));
  EXPECT_EQ(encode(Unigram(pieces, {.unknown = 0}),
                   "\u00E9\u00E9"
                   "a\u00E9"),
            (Ids{0, 1, 0}));
  EXPECT_EQ(encode(Unigram(pieces, {.unknown = 0, .byte_fallback = true}), "<unk>"), Ids{0});
  EXPECT_EQ(encode(Unigram(pieces, {}), "za"), Ids{1});
  EXPECT_TRUE(encode(Unigram(pieces, {.unknown = 0}), "").empty());
}

TEST(Unigram, KindsSayWhatIsFoundInText) {
  const Pieces pieces = {{"<unk>", 0}, {"<s>", 0}, {"a", -1}, {"aa", -1}, {"aaa", -100}, {"b", -1}};
  UnigramOptions options{.unknown = 0,
                         .kinds = {TokenKind::unknown, TokenKind::control, TokenKind::normal, TokenKind::unused,
                                   TokenKind::user_defined, TokenKind::normal}};
  EXPECT_EQ(encode(Unigram(pieces, options), "aaaa<s>b"), (Ids{2, 4, 0, 5}));
}

TEST(Unigram, WrongPiecesAreErrors) {
  EXPECT_THROW(Unigram({{"a", std::nan("")}}, {}), Error);
  EXPECT_THROW(Unigram({{"a", std::numeric_limits<double>::infinity()}}, {}), Error);
  EXPECT_THROW(Unigram({{"a", 0}}, {.unknown = 1}), Error);
  EXPECT_THROW(Unigram({{"a", 0}}, {.unknown = -2}), Error);
  EXPECT_THROW(Unigram({}, {.unknown = 0}), Error);
  Unigram({}, {});
}

}  // namespace
}  // namespace kvzip
