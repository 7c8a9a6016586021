#include "kvzip/text/incremental_decoder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kvzip/text/test_text.h"
#include "kvzip/text/utf8.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {
namespace {

/// Byte tokens (ids are the bytes), then tokens of several bytes, then a control token.
std::unique_ptr<Tokenizer> byte_tokenizer(bool space_prefix) {
  Vocabulary vocabulary{.model = "llama",
                        .pre = "",
                        .tokens = {},
                        .kinds = {},
                        .scores = {},
                        .merges = {},
                        .add_space_prefix = space_prefix};
  for (int byte = 0; byte < 256; ++byte) vocabulary.tokens.push_back(fmt::format("<0x{:02X}>", byte));
  vocabulary.kinds.assign(256, TokenKind::byte);
  for (const char* token : {"\u2581word", "\u65E5\u672C", "\xE6\x97", "\x9F\x98\x80\xF0", "\u2581", "<s>"}) {
    vocabulary.tokens.emplace_back(token);
    vocabulary.kinds.push_back(TokenKind::normal);
  }
  vocabulary.kinds.back() = TokenKind::control;
  vocabulary.scores.assign(vocabulary.tokens.size(), 0);
  return make_tokenizer(std::move(vocabulary));
}

/// The whole text at once, invalid sequences replaced.
std::string replaced(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Utf8Step step = utf8_step(text);
    out += step.kind == Utf8Step::Kind::character ? std::string(text.substr(0, step.length)) : "\uFFFD";
    text.remove_prefix(step.length);
  }
  return out;
}

TEST(IncrementalDecoder, AgreesWithDecodingAtOnce) {
  Random random(13);
  for (const bool prefix : {false, true}) {
    const auto tokenizer = byte_tokenizer(prefix);
    IncrementalDecoder decoder(*tokenizer);  // used anew in each round
    for (int round = 0; round < 5000; ++round) {
      std::vector<TokenId> ids;
      const std::string text = random.utf8(random.number(6));
      for (const char byte : text) ids.push_back(static_cast<uint8_t>(byte));
      for (size_t i = random.number(8); i > 0; --i) {
        const size_t kind = random.number(3);
        const size_t id = kind == 0   ? random.number(256)
                          : kind == 1 ? 0x80 + random.number(0x80)
                                      : 256 + random.number(6);
        ids.insert(ids.begin() + static_cast<ptrdiff_t>(random.number(ids.size() + 1)), static_cast<TokenId>(id));
      }
      std::string streamed;
      for (const TokenId id : ids) {
        const std::string part = decoder.push(id);
        ASSERT_EQ(valid_utf8_length(part), part.size());
        streamed += part;
        ASSERT_TRUE(replaced(tokenizer->decode(ids)).starts_with(streamed));
      }
      ASSERT_EQ(streamed + decoder.flush(), replaced(tokenizer->decode(ids)));
    }
  }
}

TEST(IncrementalDecoder, GivesACharacterWithItsLastByteAndErrorsAtOnce) {
  const auto tokenizer = byte_tokenizer(false);
  IncrementalDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.push('a'), "a");
  EXPECT_EQ(decoder.push(0xF0), "");
  EXPECT_EQ(decoder.push(0x9F), "");
  EXPECT_EQ(decoder.push(0x98), "");
  EXPECT_EQ(decoder.push(0x80), "\U0001F600");
  EXPECT_EQ(decoder.push(0xFF), "\uFFFD");
  EXPECT_EQ(decoder.push(0xE6), "");
  EXPECT_EQ(decoder.push('b'),
            "\uFFFD"
            "b");
  EXPECT_EQ(decoder.push(0xE6), "");
  EXPECT_EQ(decoder.flush(), "\uFFFD");
  EXPECT_EQ(decoder.flush(), "");
}

TEST(IncrementalDecoder, TheSpaceOfTheStartIsLeftOutAsInDecode) {
  const auto tokenizer = byte_tokenizer(true);
  IncrementalDecoder decoder(*tokenizer);
  EXPECT_EQ(decoder.push(261), "");      // <s>
  EXPECT_EQ(decoder.push(256), "word");  // the first word loses its space
  EXPECT_EQ(decoder.push(256), " word");
}

}  // namespace
}  // namespace kvzip
