#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "kvzip/base/error.h"
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/test_text.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {
namespace {

/// A vocabulary of all bytes (ids are the bytes) and nothing else.
Vocabulary bytes_only(std::string pre = "gpt-2") {
  Vocabulary vocabulary{.model = "gpt2", .pre = std::move(pre), .tokens = {}, .kinds = {}, .scores = {}, .merges = {}};
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.emplace_back(byte_spelling(static_cast<uint8_t>(byte)));
  return vocabulary;
}

void add_token(Vocabulary& vocabulary, const std::string& spelling, TokenKind kind) {
  vocabulary.kinds.resize(vocabulary.tokens.size(), TokenKind::normal);
  vocabulary.tokens.push_back(spelling);
  vocabulary.kinds.push_back(kind);
}

/// Random merges of the letters a, b and c, in an order that no training would give.
Vocabulary random_merges(Random& random) {
  Vocabulary vocabulary = bytes_only();
  std::vector<std::string> parts = {"a", "b", "c"};
  for (int i = 0; i < 25; ++i) {
    const std::string left = parts[random.number(parts.size())];
    const std::string right = parts[random.number(parts.size())];
    if (std::ranges::find(parts, left + right) == parts.end()) {
      parts.push_back(left + right);
      vocabulary.tokens.push_back(left + right);
    }
    std::string line = left;
    line.append(" ").append(right);
    vocabulary.merges.insert(
        vocabulary.merges.begin() + static_cast<ptrdiff_t>(random.number(vocabulary.merges.size() + 1)), line);
  }
  return vocabulary;
}

/// The definition: join the leftmost pair of the best rank, over and over.
std::vector<TokenId> naive_encode(const Vocabulary& vocabulary, const std::string& word) {
  std::vector<std::string> parts;
  for (const char byte : word) parts.emplace_back(1, byte);
  while (true) {
    size_t best_rank = vocabulary.merges.size();
    size_t best = 0;
    for (size_t i = 0; i + 1 < parts.size(); ++i) {
      const auto found = std::ranges::find(vocabulary.merges, parts[i] + " " + parts[i + 1]);
      const auto rank = static_cast<size_t>(found - vocabulary.merges.begin());
      if (rank < best_rank) {
        best_rank = rank;
        best = i;
      }
    }
    if (best_rank == vocabulary.merges.size()) break;
    parts[best] += parts[best + 1];
    parts.erase(parts.begin() + static_cast<ptrdiff_t>(best) + 1);
  }
  std::vector<TokenId> ids;
  ids.reserve(parts.size());
  for (const std::string& part : parts) {
    ids.push_back(static_cast<TokenId>(std::ranges::find(vocabulary.tokens, part) - vocabulary.tokens.begin()));
  }
  return ids;
}

TEST(ByteBpe, MergesLikeTheNaiveAlgorithm) {
  Random random(8);
  for (int round = 0; round < 100; ++round) {
    const Vocabulary vocabulary = random_merges(random);
    const auto tokenizer = make_tokenizer(vocabulary);
    for (int i = 0; i < 20; ++i) {
      const std::string word = random.of(i % 2 == 0 ? "abc" : "aaab", 1 + random.number(70));
      ASSERT_EQ(tokenizer->encode(word), naive_encode(vocabulary, word)) << word;
    }
  }
}

TEST(ByteBpe, WordsAreMergedOneByOneAlsoWhenTheyComeAgain) {
  Random random(9);
  const Vocabulary vocabulary = random_merges(random);
  const auto tokenizer = make_tokenizer(vocabulary);
  std::string text;
  std::vector<TokenId> expected;
  for (int i = 0; i < 5000; ++i) {
    const std::string word = random.of("abc", 1 + random.number(i % 100 == 0 ? 90 : 5));
    text += word + "1";
    std::ranges::copy(naive_encode(vocabulary, word), std::back_inserter(expected));
    expected.push_back('1');
  }
  EXPECT_EQ(tokenizer->encode(text), expected);
}

TEST(ByteBpe, AnyBytesComeBack) {
  Random random(10);
  for (const char* pre : {"gpt-2", "smollm", "llama-bpe"}) {
    Vocabulary vocabulary = bytes_only(pre);
    vocabulary.tokens.emplace_back("\u00E2\u0138");  // the bytes E2 96
    vocabulary.merges = {"\u00E2 \u0138"};
    const auto tokenizer = make_tokenizer(vocabulary);
    for (int round = 0; round < 500; ++round) {
      const std::string text =
          random.utf8(random.number(20)) + random.bytes(random.number(20)) + random.utf8(random.number(9));
      ASSERT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
    }
    EXPECT_EQ(tokenizer->encode("\xE2\x96\x81"), (std::vector<TokenId>{256, 0x81}));
    EXPECT_EQ(tokenizer->encode("\xE2\x96"), (std::vector<TokenId>{0xE2, 0x96}));  // no UTF-8: byte by byte
  }
}

TEST(ByteBpe, SpecialTokensAreFoundInTheText) {
  Vocabulary vocabulary = bytes_only();
  add_token(vocabulary, "<|x|>", TokenKind::control);
  add_token(vocabulary, "<|x|><|x|>", TokenKind::control);
  add_token(vocabulary, "<tool>", TokenKind::user_defined);
  const auto tokenizer = make_tokenizer(vocabulary);
  const std::vector<TokenId> ids = {'a', 257, 256, ' ', 258, '<', '|', 'x'};
  EXPECT_EQ(tokenizer->encode("a<|x|><|x|><|x|> <tool><|x"), ids);
  EXPECT_EQ(tokenizer->decode(ids), "a <tool><|x");
  EXPECT_EQ(decode_verbatim(*tokenizer, ids), "a<|x|><|x|><|x|> <tool><|x");
  EXPECT_EQ(tokenizer->piece(256), "");
  EXPECT_EQ(tokenizer->piece(258), "<tool>");
  EXPECT_EQ(tokenizer->spelling(256), "<|x|>");
  EXPECT_EQ(tokenizer->find("<|x|>"), 256);
  EXPECT_EQ(tokenizer->find("<|y|>"), std::nullopt);
  EXPECT_EQ(tokenizer->vocab_size(), 259U);
  EXPECT_EQ(tokenizer->description(), "bpe (gpt-2)");
  EXPECT_TRUE(tokenizer->encode("").empty());
  EXPECT_THROW(tokenizer->piece(259), Error);
  EXPECT_THROW(tokenizer->spelling(-1), Error);
}

TEST(ByteBpe, MissingBytesAreUnknownOrLeftOut) {
  Vocabulary vocabulary{
      .model = "gpt2", .pre = "gpt-2", .tokens = {"a", "b", "ab"}, .kinds = {}, .scores = {}, .merges = {"a b"}};
  EXPECT_EQ(make_tokenizer(vocabulary)->encode("axbx\xFF"), (std::vector<TokenId>{2}));
  add_token(vocabulary, "<unk>", TokenKind::unknown);
  const auto tokenizer = make_tokenizer(vocabulary);
  EXPECT_EQ(tokenizer->encode("axb\xFF"), (std::vector<TokenId>{0, 3, 1, 3}));
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("axb")), "a\uFFFDb");
}

TEST(ByteBpe, WholeWordsComeFirstWhereThePreTokenizerSaysSo) {
  for (const bool first : {false, true}) {
    Vocabulary vocabulary = bytes_only(first ? "llama-bpe" : "qwen2");
    vocabulary.tokens.insert(vocabulary.tokens.end(), {"bc", "\u0120abc"});  // the latter out of reach of the merges
    vocabulary.merges = {"b c"};
    const std::vector<TokenId> expected = first ? std::vector<TokenId>{257} : std::vector<TokenId>{' ', 'a', 256};
    EXPECT_EQ(make_tokenizer(vocabulary)->encode(" abc"), expected);
  }
}

TEST(ByteBpe, TheFirstOfTwoEqualTokensAndMergesCounts) {
  Vocabulary vocabulary = bytes_only();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"ab", "ab", "bc", ""});
  vocabulary.merges = {"a b", "b c", "a b"};
  EXPECT_EQ(make_tokenizer(vocabulary)->encode("abc"), (std::vector<TokenId>{256, 'c'}));
}

TEST(ByteBpe, WrongVocabulariesAreErrors) {
  const auto code_of = [](const Vocabulary& vocabulary) {
    try {
      make_tokenizer(vocabulary);
    } catch (const Error& error) {
      return error.code();
    }
    return ErrorCode::internal;
  };
  for (const char* merge : {"a b", "ab", "", " ", " a", "a ", "a b c", "a  b"}) {
    Vocabulary vocabulary = bytes_only();
    vocabulary.merges = {merge};
    EXPECT_EQ(code_of(vocabulary), ErrorCode::input) << merge;
  }
  Vocabulary vocabulary = bytes_only();
  vocabulary.kinds.assign(255, TokenKind::normal);
  EXPECT_EQ(code_of(vocabulary), ErrorCode::input);
  EXPECT_EQ(code_of(bytes_only("unheard-of")), ErrorCode::unsupported);
  vocabulary = bytes_only();
  vocabulary.model = "rwkv";
  EXPECT_EQ(code_of(vocabulary), ErrorCode::unsupported);
  EXPECT_EQ(code_of({.model = "gpt2", .pre = "gpt-2", .tokens = {}, .kinds = {}, .scores = {}, .merges = {}}),
            ErrorCode::input);
  vocabulary = bytes_only();
  add_token(vocabulary, std::string(300, 'x'), TokenKind::control);
  EXPECT_EQ(code_of(vocabulary), ErrorCode::unsupported);
}

TEST(ByteBpe, TenMegabytesOfOneLetter) {
  Vocabulary vocabulary = bytes_only();
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"aa", "aaaa", "aaaaaaaa"});
  vocabulary.merges = {"a a", "aa aa", "aaaa aaaa"};
  const auto ids = make_tokenizer(vocabulary)->encode(std::string(10'000'003, 'a'));
  ASSERT_EQ(ids.size(), 1'250'002U);
  EXPECT_TRUE(std::all_of(ids.begin(), ids.end() - 2, [](TokenId id) { return id == 258; }));
  EXPECT_EQ(ids[ids.size() - 2], 256);
  EXPECT_EQ(ids.back(), 'a');
}

}  // namespace
}  // namespace kvzip
