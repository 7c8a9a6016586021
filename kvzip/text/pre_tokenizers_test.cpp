#include "kvzip/text/pre_tokenizers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using Words = std::vector<std::string>;

Words split(const PreTokenizer& pre_tokenizer, std::string_view text) {
  Words words;
  pre_tokenizer.split(text, [&](std::string_view word) { words.emplace_back(word); });
  return words;
}

Words split(std::string_view name, std::string_view text) { return split(PreTokenizer(name), text); }

// The same rules for ASCII, written out by hand. Each function gives the length of the first word of `text`.

bool is_letter(char c) { return std::isalpha(static_cast<uint8_t>(c)) != 0; }
bool is_digit(char c) { return std::isdigit(static_cast<uint8_t>(c)) != 0; }
bool is_space(char c) { return std::isspace(static_cast<uint8_t>(c)) != 0; }
bool is_newline(char c) { return c == '\r' || c == '\n'; }
bool is_other(char c) { return !is_letter(c) && !is_digit(c) && !is_space(c); }

template <class Is>
size_t run(std::string_view text, size_t at, Is is) {
  while (at < text.size() && is(text[at])) ++at;
  return at;
}

size_t contraction(std::string_view text, bool any_case) {
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    std::string head(text.substr(0, ending.size()));
    if (any_case) std::ranges::transform(head, head.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    if (head == ending) return ending.size();
  }
  return 0;
}

/// A run of spaces leaves its last one to the word behind it.
size_t spaces(std::string_view text) {
  const size_t end = run(text, 0, is_space);
  return end == text.size() || end == 1 ? end : end - 1;
}

size_t gpt2_word(std::string_view text) {
  if (const size_t length = contraction(text, false)) return length;
  const size_t begin = text[0] == ' ' ? 1 : 0;
  for (const auto is : {is_letter, is_digit, is_other}) {
    if (begin < text.size() && is(text[begin])) return run(text, begin, is);
  }
  return spaces(text);
}

size_t qwen_word(std::string_view text, size_t most_digits) {
  if (const size_t length = contraction(text, true)) return length;
  const size_t begin = is_letter(text[0]) || is_digit(text[0]) || is_newline(text[0]) ? 0 : 1;
  if (begin < text.size() && is_letter(text[begin])) return run(text, begin, is_letter);
  if (is_digit(text[0])) return std::min(run(text, 0, is_digit), most_digits);
  const size_t mark = text[0] == ' ' ? 1 : 0;
  if (mark < text.size() && is_other(text[mark])) return run(text, run(text, mark, is_other), is_newline);
  const std::string_view blank = text.substr(0, run(text, 0, is_space));
  const size_t newline = blank.find_last_of("\r\n");
  return newline == std::string_view::npos ? spaces(text) : newline + 1;
}

size_t single_digit(std::string_view text) {
  return is_digit(text[0]) ? 1 : run(text, 0, [](char c) { return !is_digit(c); });
}

size_t punctuation(std::string_view text) {
  return is_other(text[0]) ? run(text, 0, is_other) : run(text, 0, [](char c) { return !is_other(c); });
}

size_t three_digits(std::string_view text) {
  return is_digit(text[0]) ? std::min<size_t>(text.size(), 3) : text.size();  // by then digits stand alone
}

Words cut(const Words& pieces, const std::function<size_t(std::string_view)>& first_word) {
  Words words;
  for (std::string_view piece : pieces) {
    while (!piece.empty()) {
      words.emplace_back(piece.substr(0, first_word(piece)));
      piece.remove_prefix(words.back().size());
    }
  }
  return words;
}

Words split_by_hand(std::string_view name, const std::string& text) {
  if (name == "gpt-2") return cut({text}, gpt2_word);
  if (name == "smollm") return cut(cut({text}, single_digit), gpt2_word);
  if (name == "llama-bpe") return cut({text}, [](std::string_view rest) { return qwen_word(rest, 3); });
  if (name != "default") return cut({text}, [](std::string_view rest) { return qwen_word(rest, 1); });
  const auto digits = [](std::string_view rest) {
    return is_digit(rest[0]) ? run(rest, 0, is_digit) : run(rest, 0, [](char c) { return !is_digit(c); });
  };
  return cut(cut(cut(cut({text}, punctuation), gpt2_word), digits), three_digits);
}

TEST(PreTokenizer, AgreesWithRulesWrittenByHandOnAscii) {
  Random random(6);
  for (const char* name : {"gpt-2", "smollm", "qwen2", "qwen35", "llama-bpe", "default"}) {
    const PreTokenizer pre_tokenizer(name);
    for (int round = 0; round < 5000; ++round) {
      // No backquote: "default" does not count it as punctuation.
      const std::string text = random.of("aZstLlREvdm''  \t\r\n\n019.,-$<_", random.number(40));
      ASSERT_EQ(split(pre_tokenizer, text), split_by_hand(name, text)) << name << ": " << testing::PrintToString(text);
    }
  }
}

TEST(PreTokenizer, WordsMakeUpTheText) {
  Random random(7);
  for (const char* name : {"gpt-2", "smollm", "qwen2", "qwen35", "llama-bpe", "default"}) {
    const PreTokenizer pre_tokenizer(name);
    for (int round = 0; round < 300; ++round) {
      const std::string text = random.utf8(random.number(50));
      std::string joined;
      for (const std::string& word : split(pre_tokenizer, text)) {
        EXPECT_FALSE(word.empty());
        joined += word;
      }
      ASSERT_EQ(joined, text) << name;
    }
  }
}

TEST(PreTokenizer, KnowsUnicodeClasses) {
  EXPECT_EQ(split("gpt-2", "na\u00EFve \u65E5\u672C\u00BD\u2003x"),
            (Words{"na\u00EFve", " \u65E5\u672C", "\u00BD", "\u2003", "x"}));
  EXPECT_EQ(split("smollm", "a\u00B2\u00BD7"), (Words{"a", "\u00B2", "\u00BD", "7"}));
  EXPECT_EQ(split("qwen2", "\u0939\u093F"), (Words{"\u0939", "\u093F"}));
  EXPECT_EQ(split("qwen35", "\u0939\u093F"), (Words{"\u0939\u093F"}));  // a mark stays with its letter
  EXPECT_EQ(split("llama-bpe", "12345 I'LL"), (Words{"123", "45", " I", "'LL"}));
  EXPECT_EQ(split("gpt-2", "x\u180Ey"), (Words{"x", "\u180E", "y"}));
  EXPECT_EQ(split("gpt-2", " \u180E\u180E"), (Words{" \u180E\u180E"}));  // no space since Unicode 6.3
  EXPECT_EQ(split("default", "$5,1234"), (Words{"$", "5", ",", "123", "4"}));
}

TEST(PreTokenizer, OtherNamesMeanTheSameRules) {
  EXPECT_EQ(split("llama3", "12345"), split("llama-bpe", "12345"));
  EXPECT_EQ(split("starcoder", "x123"), split("smollm", "x123"));
  EXPECT_TRUE(PreTokenizer("llama3").whole_words_first());
  EXPECT_FALSE(PreTokenizer("qwen2").whole_words_first());
}

TEST(PreTokenizer, AnUnknownNameListsTheKnownOnes) {
  try {
    const PreTokenizer pre_tokenizer("no-such-rule");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("no-such-rule"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("llama-bpe"), std::string::npos);
  }
}

TEST(PreTokenizer, TenMegabytesOfOneCharacter) {
  for (const char* name : {"gpt-2", "smollm", "qwen2", "qwen35", "llama-bpe", "default"}) {
    const PreTokenizer pre_tokenizer(name);
    for (const char* character : {"a", " ", "\n"}) {
      std::string text;
      while (text.size() < 10'000'000) text += character;
      for (const char* end : {"", "."}) {
        size_t bytes = 0;
        pre_tokenizer.split(text + end, [&](std::string_view word) { bytes += word.size(); });
        EXPECT_EQ(bytes, text.size() + std::string_view(end).size()) << name << " " << character;
      }
    }
  }
}

}  // namespace
}  // namespace kvzip
