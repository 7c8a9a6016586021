#include "kvzip/text/formats/tiktoken.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/base64.h"
#include "tests/mutate.h"

namespace kvzip {
namespace {

using Ids = std::vector<TokenId>;

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t bits = 0;
    for (size_t j = 0; j < 3; ++j)
      bits = (bits << 8U) | (i + j < bytes.size() ? static_cast<uint8_t>(bytes[i + j]) : 0U);
    for (unsigned j = 0; j < 4; ++j) out += i + j <= bytes.size() ? kDigits[(bits >> (18 - 6 * j)) & 63U] : '=';
  }
  return out;
}

TEST(Base64, ReadsWhatIsWrittenAndNothingElse) {
  for (int first = 0; first < 256; ++first) {
    std::string bytes;
    for (int length = 0; length < 7; ++length) {
      EXPECT_EQ(decode_base64(base64(bytes)), bytes);
      EXPECT_EQ(encode_base64(std::as_bytes(std::span(bytes))), base64(bytes));
      bytes += static_cast<char>(first + 37 * length);
    }
  }
  for (const char* wrong : {"A", "AB", "ABC", "A===", "====", "AB=C", "AB==CD==", "AB C", "AB-_",
                            "AB=", "AB\n=", "AB==\n", "AC==D", "AP==", "AAB="}) {
    EXPECT_FALSE(decode_base64(wrong)) << wrong;
  }
}

/// Ranks 0 to 255 are the single bytes.
std::string file_with(const std::vector<std::string>& tokens) {
  std::string file;
  for (int byte = 0; byte < 256; ++byte)
    file += base64(std::string(1, static_cast<char>(byte))) + fmt::format(" {}\n", byte);
  for (size_t i = 0; i < tokens.size(); ++i) file += base64(tokens[i]) + fmt::format(" {}\n", 256 + i);
  return file;
}

TiktokenOptions options(std::vector<std::pair<std::string, TokenId>> special_tokens = {}) {
  return {.name = "test", .pattern = R"( ?\p{L}+|\s+)", .special_tokens = std::move(special_tokens)};
}

TEST(Tiktoken, MergesByTheRankOfTheResult) {
  // The rank of "abc" counts, whatever it is made of; a whole word that is a token is that token.
  const auto tokenizer =
      parse_tiktoken("f", file_with({"bc", "ab", "abc", "xyz"}), options({{"<e>", 300}, {"<e>s", 301}}));
  EXPECT_EQ(tokenizer->encode("abcd abc"), (Ids{258, 'd', ' ', 258}));
  EXPECT_EQ(tokenizer->encode("abd"), (Ids{257, 'd'}));
  EXPECT_EQ(tokenizer->encode("xyz xyz"), (Ids{259, ' ', 'x', 'y', 'z'}));
  EXPECT_EQ(tokenizer->encode("ab<e>sab<e>"), (Ids{257, 301, 257, 300}));
  EXPECT_EQ(tokenizer->encode("ab12ab"), (Ids{257, 257})) << "what the pattern leaves out is left out";
  EXPECT_EQ(tokenizer->encode("ab\xFF\xC3 a"), (Ids{257, 0xFF, 0xC3, ' ', 'a'}));
  EXPECT_EQ(tokenizer->vocab_size(), 302U);
  EXPECT_EQ(tokenizer->decode(Ids{258, 300, 0xC3}), "abc\xC3");
  EXPECT_EQ(tokenizer->piece(280), "");
  EXPECT_EQ(tokenizer->description(), "bpe (test)");
}

TEST(Tiktoken, ASpecialTokenMayFillAGap) {
  const std::string file = file_with({}) + base64("ab") + " 257\n";
  EXPECT_EQ(parse_tiktoken("f", file, options({{"<e>", 256}}))->encode("ab<e>"), (Ids{257, 256}));
}

TEST(Tiktoken, KnownEncodings) {
  for (const char* name : {"gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony",
                           "llama3", "llama3.1", "qwen"}) {
    const auto tokenizer = parse_tiktoken("f", file_with({"ab"}), tiktoken_options(name));
    EXPECT_EQ(tokenizer->encode("ab  ab1\n"), (Ids{256, ' ', ' ', 256, '1', '\n'})) << name;
  }
  const auto llama = parse_tiktoken("f", file_with({}), tiktoken_options("llama3"));
  EXPECT_EQ(llama->vocab_size(), 128256U);
  EXPECT_EQ(llama->find("<|reserved_special_token_3|>"), 128005);
  EXPECT_EQ(llama->find("<|reserved_special_token_4|>"), 128008);
  EXPECT_EQ(llama->find("<|reserved_special_token_250|>"), 128255);
  const auto llama31 = parse_tiktoken("f", file_with({}), tiktoken_options("llama3.1"));
  EXPECT_EQ(llama31->find("<|reserved_special_token_2|>"), 128005);
  EXPECT_EQ(llama31->find("<|reserved_special_token_247|>"), 128255);
  EXPECT_EQ(parse_tiktoken("f", file_with({}), tiktoken_options("qwen"))->find("<|extra_204|>"), 151850);
  EXPECT_THROW(tiktoken_options("cl100k"), Error);
}

TEST(Tiktoken, WrongFilesAreErrors) {
  const auto says = [](const std::string& file, const std::string& what, const TiktokenOptions& given = options()) {
    try {
      parse_tiktoken("f", file, given);
      ADD_FAILURE() << what;
    } catch (const Error& error) {
      EXPECT_NE(std::string_view(error.what()).find(what), std::string_view::npos) << error.what();
    }
  };
  const std::string file = file_with({"ab"});
  says("", "expected tokens and ranks, found none");
  says("\n\n", "found none");
  says(file + "YWI= 257\n", "line 258: expected another token than in line 257");
  says(file + "YWJj 256\n", "line 258: expected a new rank, found 256 again");
  says(file + "YWJj 258\n", "without a gap, found none of rank 257");
  says(file.substr(file.find('\n') + 1), "each single byte, found none for 0x00");
  says(file + "YWJj 4194304\n", "line 258: expected a rank from 0 to 4194303");
  for (const char* line : {"YWJj", "YWJj ", "YWJj 257 ", "YWJj  257", "YWJj 257\r", "YWJj -1", "YWJj +257",
                           "YWJj 99999999999999999999999", " 257", "YWJ 257", "YWJjZ=== 257", "= 257"}) {
    says(file + line + "\n", "line 258: expected");
  }
  says(file, "special token '<e>' of 'test': expected an id that no other token has, found 256",
       options({{"<e>", 256}}));
  says(file, "found 300", options({{"<e>", 300}, {"<f>", 300}}));
  says(file, "found -1", options({{"<e>", -1}}));
  says(file, "found 4194304", options({{"<e>", 4194304}}));
  says(file, "at most 256 bytes", options({{std::string(257, 'e'), 300}}));
  says(file, "pattern", {.name = "test", .pattern = "(", .special_tokens = {}});
  EXPECT_THROW(read_tiktoken("/nowhere/at/all.tiktoken", options()), Error);
}

TEST(Tiktoken, DamagedFilesOpenOrAreErrors) {
  const std::string file = file_with({"ab", "abc"});
  const auto open = [](std::span<const std::byte> bytes) {
    const auto tokenizer = parse_tiktoken("f", {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options());
    tokenizer->decode(tokenizer->encode("abc \xFF"));
  };
  MutationCounts counts;
  for (size_t size = 0; size < file.size(); ++size) {
    const std::vector<char> copy(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
    try_open(std::as_bytes(std::span(copy)), fmt::format("cut after byte {}", size), open, counts);
  }
  for (size_t at = 0; at < file.size(); at += 3) {
    std::string damaged = file;
    damaged[at] = static_cast<char>(static_cast<uint8_t>(damaged[at]) ^ (1U << (at % 8)));
    try_open(std::as_bytes(std::span(damaged)), fmt::format("byte {} changed", at), open, counts);
  }
  EXPECT_GT(counts.rejected, file.size());
  EXPECT_GT(counts.opened, 0U);
}

}  // namespace
}  // namespace kvzip
