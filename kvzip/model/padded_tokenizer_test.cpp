#include "kvzip/model/padded_tokenizer.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {
namespace {

/// Bytes, two words and a control token: 259 tokens.
std::unique_ptr<Tokenizer> words() {
  Vocabulary vocabulary;
  vocabulary.model = "llama";
  vocabulary.add_space_prefix = false;
  for (int byte = 0; byte < 256; ++byte) {
    char spelling[8];
    std::snprintf(spelling, sizeof(spelling), "<0x%02X>", static_cast<unsigned>(byte));
    vocabulary.tokens.emplace_back(spelling);
    vocabulary.kinds.push_back(TokenKind::byte);
  }
  for (const char* token : {"a", "b", "<end>"}) {
    vocabulary.tokens.emplace_back(token);
    vocabulary.kinds.push_back(TokenKind::normal);
  }
  vocabulary.kinds.back() = TokenKind::control;
  vocabulary.scores.assign(vocabulary.tokens.size(), 0);
  return make_tokenizer(vocabulary);
}

TEST(PaddedTokenizer, RowsWithoutATokenGiveNothing) {
  const PaddedTokenizer padded(words(), 320);
  EXPECT_EQ(padded.vocab_size(), 320U);
  EXPECT_EQ(padded.encode("ab<end>"), (std::vector<TokenId>{256, 257, 258}));
  EXPECT_EQ(padded.decode(std::vector<TokenId>{256, 300, 257, 319}), "ab");
  EXPECT_EQ(padded.piece(319), "");
  EXPECT_EQ(padded.spelling(259), "");
  EXPECT_EQ(padded.spelling(257), "b");
  EXPECT_EQ(decode_verbatim(padded, std::vector<TokenId>{256, 300, 258}), "a<end>");
  for (const TokenId id : {-1, 320}) {
    EXPECT_THROW(padded.piece(id), Error);
    EXPECT_THROW(padded.spelling(id), Error);
    EXPECT_THROW(padded.decode(std::vector<TokenId>{id}), Error);
  }
}

TEST(PaddedTokenizer, TokensWithoutARowAreRefused) {
  const PaddedTokenizer cut(words(), 258);
  EXPECT_EQ(cut.encode("ab"), (std::vector<TokenId>{256, 257}));
  EXPECT_FALSE(cut.find("<end>"));
  EXPECT_EQ(cut.find("b"), 257);
  try {
    cut.encode("a<end>");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_EQ(std::string(error.what()), "text: expected tokens that the model's vocabulary of 258 has, found '<end>'");
  }
}

}  // namespace
}  // namespace kvzip
