#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {
namespace {

constexpr const char* kSpace = "\u2581";

void add_token(Vocabulary& vocabulary, const std::string& spelling, TokenKind kind = TokenKind::normal,
               float score = 0) {
  vocabulary.tokens.push_back(spelling);
  vocabulary.kinds.push_back(kind);
  vocabulary.scores.push_back(score);
}

/// All byte tokens (ids are the bytes).
Vocabulary byte_tokens() {
  Vocabulary vocabulary{
      .model = "llama", .pre = "", .tokens = {}, .kinds = {}, .scores = {}, .merges = {}, .add_space_prefix = false};
  for (int byte = 0; byte < 256; ++byte) add_token(vocabulary, fmt::format("<0x{:02X}>", byte), TokenKind::byte);
  return vocabulary;
}

/// Random tokens over a, b and the space; few different scores, so that many are equal.
Vocabulary random_vocabulary(Random& random, bool across_words) {
  Vocabulary vocabulary = byte_tokens();
  std::vector<std::string> parts = {"a", "b", kSpace};
  if (random.number(2) == 0) parts.push_back("\u00E9");
  for (const std::string& part : parts) add_token(vocabulary, part, TokenKind::normal, -100);
  for (int i = 0; i < 25; ++i) {
    const std::string token = parts[random.number(parts.size())] + parts[random.number(parts.size())];
    if (std::ranges::find(parts, token) != parts.end()) continue;
    if (!across_words && token.find(kSpace, 1) != std::string::npos) continue;
    parts.push_back(token);
    add_token(vocabulary, token, TokenKind::normal, static_cast<float>(random.number(8)) - 4);
  }
  return vocabulary;
}

/// The definition: join the leftmost pair whose token has the highest score, over and over. `spelled` has no spaces.
std::vector<TokenId> naive_encode(const Vocabulary& vocabulary, const std::string& spelled) {
  const auto find = [&](const std::string& token) {
    const auto found = std::ranges::find(vocabulary.tokens, token);
    return found == vocabulary.tokens.end() ? -1 : static_cast<TokenId>(found - vocabulary.tokens.begin());
  };
  std::vector<std::string> parts;
  for (const char byte : spelled) {
    const bool continues = (static_cast<uint8_t>(byte) & 0xC0) == 0x80;
    (continues ? parts.back() : parts.emplace_back()) += byte;
  }
  while (true) {
    float best_score = -std::numeric_limits<float>::infinity();
    size_t best = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const TokenId id = find(parts[i] + parts[i + 1]);
      if (id >= 0 && vocabulary.scores[static_cast<size_t>(id)] > best_score) {
        best_score = vocabulary.scores[static_cast<size_t>(id)];
        best = i;
      }
    }
    if (std::isinf(best_score)) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
  std::vector<TokenId> ids;
  for (const std::string& part : parts) {
    if (find(part) >= 0) {
      ids.push_back(find(part));
    } else {
      for (const char byte : part) ids.push_back(static_cast<uint8_t>(byte));
    }
  }
  return ids;
}

std::string with_spaces_spelled(const std::string& text) {
  std::string spelled;
  for (const char byte : text) spelled += byte == ' ' ? kSpace : std::string(1, byte);
  return spelled;
}

TEST(SentencePiece, MergesLikeTheNaiveAlgorithmAlsoAcrossWords) {
  Random random(11);
  for (int round = 0; round < 200; ++round) {
    Vocabulary vocabulary = random_vocabulary(random, round % 2 == 0);
    vocabulary.add_space_prefix = round % 4 < 2;
    const auto tokenizer = make_tokenizer(vocabulary);
    for (int i = 0; i < 20; ++i) {
      std::string text;
      for (size_t length = random.number(40); length > 0; --length) {
        static const std::string kLetters[] = {"a", "b", "a", " ", " ", "\u00E9", "\u65E5", kSpace};
        text += kLetters[random.number(8)];
      }
      const bool prefixed = vocabulary.add_space_prefix && !text.empty();
      ASSERT_EQ(tokenizer->encode(text), naive_encode(vocabulary, with_spaces_spelled((prefixed ? " " : "") + text)))
          << testing::PrintToString(text);
    }
  }
}

TEST(SentencePiece, AnyBytesComeBack) {
  Random random(12);
  for (const bool prefix : {false, true}) {
    Vocabulary vocabulary = random_vocabulary(random, true);
    vocabulary.add_space_prefix = prefix;
    add_token(vocabulary, "<s>", TokenKind::control);
    const auto tokenizer = make_tokenizer(vocabulary);
    for (int round = 0; round < 500; ++round) {
      std::string text =
          random.of("ab ", random.number(9)) + random.utf8(random.number(9)) + random.bytes(random.number(9));
      if (round % 3 == 0) text += "<s>" + random.of(" a", random.number(4));
      // U+2581 means a space, so that it comes back as one.
      for (size_t at = text.find(kSpace); at != std::string::npos; at = text.find(kSpace))
        text.erase(at, 3).insert(at, 1, ' ');
      ASSERT_EQ(decode_verbatim(*tokenizer, tokenizer->encode(text)), text);
    }
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(std::string("a") + kSpace + "b")), "a b");
  }
}

TEST(SentencePiece, SpecialTokensComeFirst) {
  Vocabulary vocabulary = byte_tokens();
  add_token(vocabulary, "<s>", TokenKind::control);
  add_token(vocabulary, "  ", TokenKind::user_defined);
  add_token(vocabulary, "   ", TokenKind::user_defined);
  add_token(vocabulary, kSpace);
  add_token(vocabulary, std::string(kSpace) + "a");
  add_token(vocabulary, "a");
  add_token(vocabulary, "unused", TokenKind::unused, 9);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->encode("<s> a    a  "), (std::vector<TokenId>{256, 260, 258, 260, 257}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("<s> a    a  ")), " a    a  ");
  EXPECT_EQ(tokenizer->piece(257), "  ");
  EXPECT_EQ(tokenizer->piece(259), " ");
  EXPECT_EQ(tokenizer->piece('\n'), "\n");
  EXPECT_EQ(tokenizer->spelling(259), kSpace);
  // The spelling of a byte token or of an unused one is ordinary text.
  EXPECT_EQ(tokenizer->encode("<0x41>").size(), 6U);
  EXPECT_EQ(tokenizer->encode("unused").size(), 6U);
  EXPECT_EQ(tokenizer->description(), "sentencepiece bpe");
}

TEST(SentencePiece, ThePrefixIsASpaceAtEveryStart) {
  Vocabulary vocabulary = byte_tokens();
  vocabulary.add_space_prefix = true;
  add_token(vocabulary, "<s>", TokenKind::control);
  add_token(vocabulary, "!", TokenKind::user_defined);
  add_token(vocabulary, kSpace);
  add_token(vocabulary, "a");
  add_token(vocabulary, std::string(kSpace) + "a", TokenKind::normal, 1);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->encode("a a<s>a!a"), (std::vector<TokenId>{260, 260, 256, 260, 257, 259}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a a<s>a!a")), "a aa!a");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("  a")), "  a");
  EXPECT_TRUE(tokenizer->encode("").empty());
}

TEST(SentencePiece, WithoutByteTokensCharactersAreUnknownOrLeftOut) {
  Vocabulary vocabulary{
      .model = "llama", .pre = "", .tokens = {}, .kinds = {}, .scores = {}, .merges = {}, .add_space_prefix = false};
  add_token(vocabulary, "a");
  add_token(vocabulary, "<0xC3>", TokenKind::byte);
  EXPECT_EQ(make_tokenizer(vocabulary)
                ->encode("a\u00E9\u65E5"
                         "a"),
            (std::vector<TokenId>{0, 0}));
  add_token(vocabulary, "<unk>", TokenKind::unknown);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->encode("a\u00E9\u65E5"
                              "a"),
            (std::vector<TokenId>{0, 2, 2, 0}));
  EXPECT_EQ(tokenizer->encode("\xC3"), (std::vector<TokenId>{1}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("a\u65E5")), "a\uFFFD");
}

TEST(SentencePiece, WrongVocabulariesAreErrors) {
  const auto rejects = [](const Vocabulary& vocabulary) {
    try {
      make_tokenizer(vocabulary);
    } catch (const Error& error) {
      return error.code() == ErrorCode::input;
    }
    return false;
  };
  Vocabulary vocabulary = byte_tokens();
  EXPECT_FALSE(rejects(vocabulary));
  vocabulary.scores.pop_back();
  EXPECT_TRUE(rejects(vocabulary));
  for (const float score : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    vocabulary = byte_tokens();
    vocabulary.scores[77] = score;
    EXPECT_TRUE(rejects(vocabulary));
  }
  for (const char* spelling : {"", "<0x4>", "<0x4G>", "<0x-1>", "<0x411>", "[0x41]", "A", "<0x 1>"}) {
    vocabulary = byte_tokens();
    add_token(vocabulary, spelling, TokenKind::byte);
    EXPECT_TRUE(rejects(vocabulary)) << spelling;
  }
}

TEST(SentencePiece, TenMegabytesOfOneLetter) {
  Vocabulary vocabulary = byte_tokens();
  add_token(vocabulary, "a");
  add_token(vocabulary, "aa", TokenKind::normal, -1);
  add_token(vocabulary, "aaaa", TokenKind::normal, -2);
  add_token(vocabulary, kSpace);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->encode(std::string(10'000'001, 'a')).size(), 2'500'001U);
  EXPECT_EQ(tokenizer->encode(std::string(1'000'000, ' ')).size(), 1'000'000U);
}

}  // namespace
}  // namespace kvzip
