#include "kvzip/view/token_texts.h"

#include <gtest/gtest.h>

#include <random>

#include "kvzip/text/lossy_utf8.h"

namespace kvzip {
namespace {

/// Ids 0 to 255 are bytes, 256 is a control token.
class ByteTokenizer final : public Tokenizer {
 public:
  ByteTokenizer() {
    for (int byte = 0; byte < 256; ++byte) bytes_ += static_cast<char>(byte);
  }
  std::vector<TokenId> encode(std::string_view text) const override {
    std::vector<TokenId> ids;
    for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
    return ids;
  }
  std::string_view piece(TokenId id) const override {
    return id == 256 ? std::string_view() : std::string_view(bytes_).substr(static_cast<size_t>(id), 1);
  }
  std::string decode(std::span<const TokenId> ids) const override {
    std::string text;
    for (const TokenId id : ids) text += piece(id);
    return text;
  }
  size_t vocab_size() const override { return 257; }
  std::optional<TokenId> find(std::string_view /*token*/) const override { return {}; }
  std::string_view spelling(TokenId id) const override { return id == 256 ? "<|end|>" : piece(id); }
  std::string description() const override { return "bytes"; }

 private:
  std::string bytes_;
};

using Texts = std::vector<std::string>;

TEST(TokenTexts, GiveASharedCharacterToItsLastToken) {
  const ByteTokenizer tokenizer;
  EXPECT_EQ(token_texts(tokenizer, tokenizer.encode("a\xC3\xA9z")), (Texts{"a", "", "\xC3\xA9", "z"}));
  EXPECT_EQ(token_texts(tokenizer, tokenizer.encode("\xF0\x9F\x98\x80")), (Texts{"", "", "", "\xF0\x9F\x98\x80"}));
}

TEST(TokenTexts, SpellControlTokensAndReplaceWhatIsNoUtf8) {
  const ByteTokenizer tokenizer;
  EXPECT_EQ(token_texts(tokenizer, std::vector<TokenId>{'a', 256, 'b'}), (Texts{"a", "<|end|>", "b"}));
  EXPECT_EQ(token_texts(tokenizer, tokenizer.encode("\xFFq\xC3")), (Texts{"\xEF\xBF\xBD", "q", "\xEF\xBF\xBD"}));
  EXPECT_TRUE(token_texts(tokenizer, {}).empty());
}

TEST(TokenTexts, PutTogetherAreTheText) {
  const ByteTokenizer tokenizer;
  std::mt19937 random(7);
  for (int trial = 0; trial < 200; ++trial) {
    std::string bytes;
    for (size_t i = random() % 60; i > 0; --i) bytes += static_cast<char>(random() % 4 == 0 ? random() : 'a' + i);
    const Texts texts = token_texts(tokenizer, tokenizer.encode(bytes));
    std::string together;
    for (const std::string& text : texts) {
      together += text;
      EXPECT_EQ(lossy_utf8(text), text);
    }
    EXPECT_EQ(together, lossy_utf8(bytes));
    EXPECT_EQ(texts.size(), bytes.size());
  }
}

}  // namespace
}  // namespace kvzip
