#include "kvzip/text/formats/wordpiece_vocabulary.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

const std::string kLines = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nun\n##aff\n##able\nDogs\ndogs\n\xE7\x8C\xAB\nnaive\n";

using Ids = std::vector<TokenId>;

TEST(WordPieceVocabulary, CutsAsBertDoes) {
  const auto lower = parse_wordpiece_vocabulary("vocab.txt", kLines, {});
  EXPECT_EQ(lower->encode("Unaffable dogs"), (Ids{4, 5, 6, 8}));
  EXPECT_EQ(lower->encode("na\xC3\xAFve \xE7\x8C\xAB\xE7\x8C\xAB cats"), (Ids{10, 9, 9, 1}));
  EXPECT_EQ(lower->encode("[SEP] dogs"), (Ids{3, 8}));
  EXPECT_EQ(lower->with_special_tokens(Ids{8}), (Ids{2, 8, 3}));
  EXPECT_EQ(lower->with_special_tokens(Ids{8}, Ids{4, 5}), (Ids{2, 8, 3, 4, 5, 3}));
  EXPECT_EQ(lower->decode(Ids{2, 4, 5, 6, 8, 3}), "unaffable dogs");
}

TEST(WordPieceVocabulary, PreparesTextAsItIsTold) {
  const auto cased = parse_wordpiece_vocabulary("vocab.txt", kLines, {.lowercase = false});
  EXPECT_EQ(cased->encode("Dogs dogs"), (Ids{7, 8}));
  const auto accents = parse_wordpiece_vocabulary("vocab.txt", kLines, {.strip_accents = false});
  EXPECT_EQ(accents->encode("na\xC3\xAFve"), (Ids{1}));
  const auto joined = parse_wordpiece_vocabulary("vocab.txt", kLines, {.chinese_chars = false});
  EXPECT_EQ(joined->encode("\xE7\x8C\xAB\xE7\x8C\xAB"), (Ids{1}));
}

TEST(WordPieceVocabulary, LinesMayEndAsOnWindows) {
  const auto tokenizer = parse_wordpiece_vocabulary("vocab.txt", "[UNK]\r\n[CLS]\r\n[SEP]\r\na\r\n", {});
  EXPECT_EQ(tokenizer->encode("a b"), (Ids{3, 0}));
}

void expect_error(const std::string& lines, const std::string& message) {
  try {
    parse_wordpiece_vocabulary("vocab.txt", lines, {});
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), message);
  }
}

TEST(WordPieceVocabulary, NamesWhatIsWrong) {
  expect_error("", "vocab.txt: expected a line [UNK], found none");
  expect_error("[UNK]\n[CLS]\na\n", "vocab.txt: expected a line [SEP], found none");
  expect_error("[UNK]\n[CLS]\n[SEP]\na\nb\na\n",
               "vocab.txt: line 6: expected a token that is not yet there, found 'a'");
}

}  // namespace
}  // namespace kvzip
