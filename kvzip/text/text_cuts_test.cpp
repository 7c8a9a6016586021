#include "kvzip/text/text_cuts.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/pre_tokenizers.h"
#include "kvzip/text/test_text.h"
#include "kvzip/text/utf8.h"
#include "kvzip/text/vocabulary_tokenizer.h"

namespace kvzip {
namespace {

/// Text in which the patterns' decisions lie close together.
std::string random_text(Random& random, size_t parts) {
  static const std::string kParts[] = {
      "a",          "B",      "ll",     "'s",     "'",        " ",      "  ",     "\n",     "\r\n",   "\t",
      "\n",         "1",      "23",     ".",      "(",        "/",      "-",      "=",      "<",      "|",
      "\u00E9",     "\u0301", "\u00A0", "\u3000", "\u2028",   "\u0085", "\u65E5", "\u3042", "\u3002", "\u017F",
      "\U0001F600", "\u200D", "\xC3",   "\xFF",   "\xE3\x80", "\u0661", "\u2581", "<s>",    "a ",     " a"};
  std::string text;
  for (size_t i = 0; i < parts; ++i) text += kParts[random.number(std::size(kParts))];
  return text;
}

std::vector<std::string> words_of(const PreTokenizer& pre_tokenizer, std::string_view text) {
  std::vector<std::string> words;
  pre_tokenizer.split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

TEST(WordCuts, NoPatternHasAWordAcrossOne) {
  Random random(41);
  size_t cuts = 0;
  for (const char* name : {"gpt-2", "smollm", "qwen2", "qwen35", "llama-bpe", "default"}) {
    const PreTokenizer pre_tokenizer(name);
    for (int round = 0; round < 3000; ++round) {
      std::string text = random_text(random, 1 + random.number(25));
      text.resize(valid_utf8_length(text));
      const std::vector<std::string> words = words_of(pre_tokenizer, text);
      for (size_t at = find_word_cut(text, 0); at < text.size(); at = find_word_cut(text, at + 1)) {
        ++cuts;
        std::vector<std::string> parts = words_of(pre_tokenizer, std::string_view(text).substr(0, at));
        const auto rest = words_of(pre_tokenizer, std::string_view(text).substr(at));
        parts.insert(parts.end(), rest.begin(), rest.end());
        ASSERT_EQ(parts, words) << name << " cut at " << at << " of " << testing::PrintToString(text);
      }
    }
  }
  EXPECT_GT(cuts, 5000U);
}

TEST(WordCuts, AreFoundInOrdinaryText) {
  EXPECT_EQ(find_word_cut("ab cd", 0), 2U);
  EXPECT_EQ(find_word_cut("ab cd", 3), 5U);
  EXPECT_EQ(find_word_cut("x.\ny", 0), 3U);
  EXPECT_EQ(find_word_cut("\u65E5\n\u65E5", 0), 4U);
  EXPECT_EQ(find_word_cut("\u3042\n\u3042", 0), 4U);
  for (const char* none : {"", "a", " a", "\na", "1 a", "  a", "a\n\na", "a\n b", "a\u3000\nb", "a\n\u3000"}) {
    EXPECT_EQ(find_word_cut(none, 0), std::string_view(none).size()) << none;
  }
}

TEST(WordCuts, AtSpacesOnlyAreSomeOfThem) {
  EXPECT_EQ(find_space_cut("x.\ny ab", 0), 4U);
  EXPECT_EQ(find_space_cut("x.\ny", 0), 4U);
  Random random(43);
  for (int round = 0; round < 1000; ++round) {
    const std::string text = random_text(random, 1 + random.number(25));
    for (size_t at = find_space_cut(text, 0); at < text.size(); at = find_space_cut(text, at + 1)) {
      ASSERT_EQ(find_word_cut(text, at), at);
      ASSERT_EQ(text[at], ' ');
    }
  }
}

TEST(WordCuts, PartsAreAsLongAsAsked) {
  using Parts = std::vector<std::string_view>;
  const std::string_view text = "ab cd.\nef gh";
  const auto cut = [](std::string_view whole, size_t bytes, TextCuts cuts) {
    return cut_text(whole, bytes, [&](std::string_view rest, size_t from) { return find_cut(rest, from, cuts); });
  };
  EXPECT_EQ(cut(text, 1, TextCuts::none), (Parts{text}));
  EXPECT_EQ(cut(text, 1, TextCuts::at_spaces), (Parts{"ab", " cd.\nef", " gh"}));
  EXPECT_EQ(cut(text, 1, TextCuts::at_words), (Parts{"ab", " cd.\n", "ef", " gh"}));
  EXPECT_EQ(cut(text, 5, TextCuts::at_words), (Parts{"ab cd.\n", "ef gh"}));
  EXPECT_EQ(cut("", 5, TextCuts::at_words), (Parts{""}));
}

TEST(EncodeParts, KeepTheirOrderAndTheFirstFailure) {
  const auto ids = encode_parts(100, [](size_t part, std::vector<TokenId>& out) {
    for (size_t i = 0; i < part % 3; ++i) out.push_back(static_cast<TokenId>(part));
  });
  std::vector<TokenId> expected;
  for (TokenId part = 0; part < 100; ++part) expected.insert(expected.end(), static_cast<size_t>(part % 3), part);
  EXPECT_EQ(ids, expected);
  const auto fail = [](size_t part, std::vector<TokenId>&) {
    if (part % 7 == 6) throw Error(ErrorCode::input, std::to_string(part));
  };
  try {
    encode_parts(50, fail);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "6");
  }
  EXPECT_TRUE(encode_parts(0, fail).empty());
}

Vocabulary byte_bpe(const std::string& pre) {
  Vocabulary vocabulary;
  vocabulary.model = "gpt2";
  vocabulary.pre = pre;
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(byte_spelling(static_cast<uint8_t>(byte)));
  for (const char* pair : {"a a", "l l", "' s", "\u0120 a", "\u010A \u010A", "2 3", "\u00C3 \u00A9"}) {
    vocabulary.merges.emplace_back(pair);
    std::string token = pair;
    vocabulary.tokens.push_back(token.erase(token.find(' '), 1));
  }
  vocabulary.kinds.assign(vocabulary.tokens.size(), TokenKind::normal);
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"<s>", "a a"});
  vocabulary.kinds.insert(vocabulary.kinds.end(), {TokenKind::control, TokenKind::user_defined});
  return vocabulary;
}

Vocabulary sentencepiece(bool prefix) {
  Vocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.add_space_prefix = prefix;
  for (const char* token : {"<unk>", "<s>", "a", "\u2581", "l", "\u2581l", "\u2581\u2581", "ll\u2581",
                            "\u2581"
                            "a",
                            "a a"}) {
    vocabulary.scores.push_back(-static_cast<float>(vocabulary.tokens.size()));
    vocabulary.tokens.emplace_back(token);
  }
  vocabulary.kinds.assign(vocabulary.tokens.size(), TokenKind::normal);
  vocabulary.kinds[0] = TokenKind::unknown;
  vocabulary.kinds[1] = TokenKind::control;
  vocabulary.kinds.back() = TokenKind::user_defined;
  return vocabulary;
}

TEST(EncodeInParts, GivesTheIdsOfTheWhole) {
  Random random(42);
  std::vector<Vocabulary> vocabularies = {sentencepiece(true), sentencepiece(false)};
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe", "default"}) vocabularies.push_back(byte_bpe(pre));
  for (const Vocabulary& vocabulary : vocabularies) {
    const auto tokenizer = make_tokenizer(vocabulary);
    const auto& in_parts = dynamic_cast<const VocabularyTokenizer&>(*tokenizer);
    for (int round = 0; round < 300; ++round) {
      const std::string text = random_text(random, random.number(200));
      const auto ids = in_parts.encode_in_parts(text, size_t{1} << 30U);
      for (const size_t part_bytes : {1, 2, 7, 50}) {
        ASSERT_EQ(in_parts.encode_in_parts(text, part_bytes), ids) << testing::PrintToString(text);
      }
    }
  }
}

}  // namespace
}  // namespace kvzip
