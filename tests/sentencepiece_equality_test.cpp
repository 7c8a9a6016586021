// .model files of every kind against the library `sentencepiece`, which trains them when the test runs, and the Unigram
// model alone against the package `tokenizers`.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/unigram.h"
#include "kvzip/text/vocabulary_tokenizer.h"
#include "tests/tokenizer_cases.h"

namespace kvzip {
namespace {

void compare_models(const std::string& folder) {
  size_t models = 0;
  size_t texts = 0;
  size_t tokens = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".model") continue;
    ++models;
    const auto tokenizer = read_sentencepiece_model(entry.path(), {.find_control_tokens = false});
    const auto* const in_parts = dynamic_cast<const VocabularyTokenizer*>(tokenizer.get());
    ASSERT_NE(in_parts, nullptr);
    for (const TokenizerCase& one :
         read_tokenizer_cases(entry.path().parent_path() / entry.path().stem().concat(".cases"))) {
      ++texts;
      tokens += one.ids.size();
      if (one.text) {
        ASSERT_EQ(tokenizer->encode(*one.text), one.ids)
            << entry.path().stem() << ": " << testing::PrintToString(one.text->substr(0, 500));
        ASSERT_EQ(in_parts->encode_in_parts(*one.text, 3), one.ids)
            << entry.path().stem() << ": " << testing::PrintToString(one.text->substr(0, 500));
      }
      ASSERT_EQ(with_replacements(tokenizer->decode(one.ids), false), one.decoded)
          << entry.path().stem() << ": " << testing::PrintToString(one.text.value_or("").substr(0, 500));
    }
  }
  fmt::print("{} models, {} texts, {} tokens compared\n", models, texts, tokens);
  EXPECT_GE(models, 16U);
  EXPECT_GE(texts, models * 1000);
}

void compare_bare_unigram(const std::string& folder) {
  size_t texts = 0;
  for (const char* name : {"unigram", "unigram_plain_bytes", "unigram_cf_suffix", "unigram_across_spaces"}) {
    const std::filesystem::path path = std::filesystem::path(folder) / name;
    std::vector<std::pair<std::string, double>> pieces;
    std::ifstream file(path.string() + ".pieces");
    std::string hex;
    for (double score = 0; file >> hex >> score;) pieces.emplace_back(from_hex(hex), score);
    const bool bytes = std::string_view(name).ends_with("bytes");
    const Unigram model(pieces, {.unknown = 0, .byte_fallback = bytes});
    for (const TokenizerCase& one : read_tokenizer_cases(path.string() + ".ids")) {
      ++texts;
      std::vector<TokenId> ids;
      model.encode(*one.text, ids);
      ASSERT_EQ(ids, one.ids) << name << ": " << testing::PrintToString(one.text->substr(0, 500));
    }
  }
  fmt::print("{} texts compared\n", texts);
  EXPECT_GE(texts, 4 * 900U);
}

TEST(SentencePieceEquality, IdsAndDecodedTextAreTheLibrarys) {
  const TempFolder folder;
  make_tokenizer_cases("sentencepiece_cases", folder.path());
  compare_models(folder.path());
  compare_bare_unigram(folder.path());
}

}  // namespace
}  // namespace kvzip
