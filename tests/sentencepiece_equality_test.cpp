// .model files of every kind against the library `sentencepiece`, which trains them when the test runs.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "kvzip/text/formats/sentencepiece_model.h"
#include "tests/tokenizer_cases.h"

namespace kvzip {
namespace {

TEST(SentencePieceEquality, IdsAndDecodedTextAreTheLibrarys) {
  const std::string folder = make_tokenizer_cases("sentencepiece_cases");
  size_t models = 0;
  size_t texts = 0;
  size_t tokens = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".model") continue;
    ++models;
    const auto tokenizer = read_sentencepiece_model(entry.path(), {.find_control_tokens = false});
    for (const TokenizerCase& one :
         read_tokenizer_cases(entry.path().parent_path() / entry.path().stem().concat(".cases"))) {
      ++texts;
      tokens += one.ids.size();
      if (one.text) {
        ASSERT_EQ(tokenizer->encode(*one.text), one.ids)
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

}  // namespace
}  // namespace kvzip
