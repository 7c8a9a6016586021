#include "kvzip/model/gguf_vocabulary.h"

#include <gtest/gtest.h>

#include <random>
#include <span>

#include "kvzip/base/error.h"
#include "tests/gguf_builder.h"

namespace kvzip {
namespace {

constexpr uint32_t kInt32 = 5;
constexpr uint32_t kFloat32 = 6;
constexpr uint32_t kBool = 7;

Vocabulary read(const std::string& bytes) {
  return gguf_vocabulary(Gguf::from_bytes("x.gguf", std::as_bytes(std::span(bytes))));
}

Vocabulary read(const GgufBuilder& builder) { return read(builder.build()); }

/// The message of the Error{input} that reading throws.
std::string error_of(const GgufBuilder& builder) {
  try {
    read(builder);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  return "no error";
}

GgufBuilder with_tokens(std::string_view model) {
  GgufBuilder builder;
  builder.string("tokenizer.ggml.model", model).strings("tokenizer.ggml.tokens", {"a", "b", "ab"});
  return builder;
}

TEST(GgufVocabulary, ReadsBytePairEncoding) {
  const Vocabulary vocabulary = read(with_tokens("gpt2")
                                         .string("tokenizer.ggml.pre", "smollm")
                                         .numbers<int32_t>("tokenizer.ggml.token_type", kInt32, {1, 3, 4})
                                         .strings("tokenizer.ggml.merges", {"a b"})
                                         .number<uint8_t>("tokenizer.ggml.add_space_prefix", kBool, 0));
  EXPECT_EQ(vocabulary.model, "gpt2");
  EXPECT_EQ(vocabulary.pre, "smollm");
  EXPECT_EQ(vocabulary.tokens, (std::vector<std::string>{"a", "b", "ab"}));
  EXPECT_EQ(vocabulary.kinds, (std::vector<TokenKind>{TokenKind::normal, TokenKind::control, TokenKind::user_defined}));
  EXPECT_EQ(vocabulary.merges, std::vector<std::string>{"a b"});
  EXPECT_TRUE(vocabulary.scores.empty());
  EXPECT_FALSE(vocabulary.add_space_prefix);
}

TEST(GgufVocabulary, ReadsSentencePieceAndItsDefaults) {
  const Vocabulary vocabulary =
      read(with_tokens("llama").numbers<float>("tokenizer.ggml.scores", kFloat32, {0.0F, -1.5F, -2.0F}));
  EXPECT_EQ(vocabulary.scores, (std::vector<float>{0.0F, -1.5F, -2.0F}));
  EXPECT_TRUE(vocabulary.kinds.empty());
  EXPECT_EQ(vocabulary.pre, "default");
  EXPECT_TRUE(vocabulary.add_space_prefix);
}

TEST(GgufVocabulary, WrongFilesAreErrorsThatNameTheKey) {
  EXPECT_NE(error_of(GgufBuilder()).find("tokenizer.ggml.model"), std::string::npos);
  GgufBuilder no_tokens;
  no_tokens.string("tokenizer.ggml.model", "gpt2");
  EXPECT_NE(error_of(no_tokens).find("tokenizer.ggml.tokens"), std::string::npos);
  EXPECT_NE(error_of(with_tokens("gpt2")).find("tokenizer.ggml.merges"), std::string::npos);
  EXPECT_NE(error_of(with_tokens("llama")).find("tokenizer.ggml.scores"), std::string::npos);
  EXPECT_NE(
      error_of(with_tokens("llama").numbers<float>("tokenizer.ggml.scores", kFloat32, {0.0F, 1.0F})).find("found 2"),
      std::string::npos);
  for (const std::vector<int32_t>& types : {std::vector{1, 1}, {1, 1, 1, 1}, {1, 0, 1}, {1, 7, 1}, {1, -1, 1}}) {
    EXPECT_NE(error_of(with_tokens("gpt2").numbers("tokenizer.ggml.token_type", kInt32, types))
                  .find("tokenizer.ggml.token_type"),
              std::string::npos);
  }
}

// Whatever a damaged vocabulary still says, indexing and using it ends well or with an Error.
TEST(GgufVocabulary, DamagedOnesNeverCrash) {
  std::mt19937 random(14);
  size_t made = 0;
  for (const char* model : {"gpt2", "llama"}) {
    const std::string good = with_tokens(model)
                                 .string("tokenizer.ggml.pre", "llama-bpe")
                                 .numbers<int32_t>("tokenizer.ggml.token_type", kInt32, {1, 1, 1})
                                 .numbers<float>("tokenizer.ggml.scores", kFloat32, {0.0F, -1.5F, -2.0F})
                                 .strings("tokenizer.ggml.merges", {"a b"})
                                 .build();
    for (int round = 0; round < 300; ++round) {
      std::string bytes = good;
      for (size_t flips = 1 + random() % 3; flips > 0; --flips)
        bytes[random() % bytes.size()] ^= static_cast<char>(1U << random() % 8);
      try {
        const auto tokenizer = make_tokenizer(read(bytes));
        for (const TokenId id : tokenizer->encode("ab ba\xFF\u2581 c"))
          EXPECT_LT(static_cast<size_t>(id), tokenizer->vocab_size());
        ++made;
      } catch (const Error& error) {
        EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
      }
    }
  }
  EXPECT_GT(made, 30U);
}

}  // namespace
}  // namespace kvzip
