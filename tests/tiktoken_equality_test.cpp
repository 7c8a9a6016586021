// .tiktoken files against the library `tiktoken`, with ranks that are trained when the test runs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "kvzip/text/formats/tiktoken.h"
#include "kvzip/text/vocabulary_tokenizer.h"
#include "tests/tokenizer_cases.h"

namespace kvzip {
namespace {

TiktokenOptions read_options(const std::string& path, const std::string& name) {
  std::ifstream file(path);
  TiktokenOptions options{.name = name, .pattern = "", .special_tokens = {}};
  std::string hex;
  file >> hex;
  options.pattern = from_hex(hex);
  for (TokenId id = 0; file >> hex >> id;) options.special_tokens.emplace_back(from_hex(hex), id);
  return options;
}

TEST(TiktokenEquality, IdsAndBytesAreTheLibrarys) {
  const TempFolder temporary;
  make_tokenizer_cases("tiktoken_cases", temporary.path());
  const std::filesystem::path folder = temporary.path();
  size_t texts = 0;
  size_t tokens = 0;
  const std::vector<std::string> by_name = {"gpt2",        "r50k_base",  "p50k_base",    "p50k_edit",
                                            "cl100k_base", "o200k_base", "o200k_harmony"};
  const std::vector<std::string> given = {"llama3", "qwen"};
  for (const auto& names : {by_name, given}) {
    for (const std::string& name : names) {
      TiktokenOptions options = read_options(folder / (name + ".options"), name);
      const TiktokenOptions known = tiktoken_options(name);
      // See tiktoken_encodings.cpp.
      if (const size_t possessive = options.pattern.find("3}+"); possessive != std::string::npos) {
        options.pattern.erase(possessive + 2, 1);
      }
      EXPECT_EQ(options.pattern, known.pattern) << name;
      if (names == by_name) {
        std::ranges::sort(options.special_tokens);
        auto sorted = known.special_tokens;
        std::ranges::sort(sorted);
        EXPECT_EQ(options.special_tokens, sorted) << name;
      }
      const auto tokenizer = read_tiktoken(folder / (name + ".tiktoken"), options);
      const auto* const in_parts = dynamic_cast<const VocabularyTokenizer*>(tokenizer.get());
      ASSERT_NE(in_parts, nullptr);
      for (const TokenizerCase& one : read_tokenizer_cases(folder / (name + ".cases"))) {
        ++texts;
        tokens += one.ids.size();
        ASSERT_EQ(tokenizer->encode(*one.text), one.ids) << name << ": " << testing::PrintToString(*one.text);
        ASSERT_EQ(in_parts->encode_in_parts(*one.text, 3), one.ids)
            << name << ": " << testing::PrintToString(*one.text);
        ASSERT_EQ(decode_verbatim(*tokenizer, one.ids), one.decoded) << name;
      }
    }
  }
  fmt::print("9 encodings, {} texts, {} tokens compared\n", texts, tokens);
  EXPECT_GE(texts, 9 * 1000U);
}

}  // namespace
}  // namespace kvzip
