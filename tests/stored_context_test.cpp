// Real models: what a context file answers at any ratio is what a fresh compression to that ratio answers.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "kvzip/kvzip.h"
#include "kvzip/store/context_file_test_data.h"
#include "tests/golden_data.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Compresses the golden document afresh to these tenths, and compares with one file made at 0.9.
void expect_equal_answers(const std::string& model_path, const std::string& folder, const std::vector<int>& tenths) {
  const auto backend = make_cpu_backend();
  const Model model = Model::load(model_path, *backend);
  const golden::Golden golden = golden::read_golden(KVZIP_SOURCE_DIR "/tests/golden/" + folder);
  const std::string text = read_text(KVZIP_SOURCE_DIR "/tests/golden/contexts/" + golden.context_file);
  const auto read = [&] { return prefill(model, text); };
  const Scores scores = score(model, read());

  const TempFolder made;
  Reading reading = read();
  const std::vector<TokenId> system = reading.system;
  const std::vector<TokenId> document = reading.document;
  write_context(made.file("a.kvz"), compress(model, std::move(reading), scores, 0.9),
                {.system = system,
                 .document = document,
                 .text = text,
                 .title = "golden",
                 .model_name = model.config().name,
                 .fingerprint = fingerprint_of(model),
                 .scoring = "exact",
                 .ratio = 0.9});
  const ContextFile file = ContextFile::open(made.file("a.kvz"));
  require_fit(file.path(), file.description().fingerprint, fingerprint_of(model));
  EXPECT_EQ(file.text(), text);
  for (const int tenth : tenths) {
    const Context fresh = compress(model, read(), scores, tenth / 10.0);
    const Context stored = Context::from_rows(*backend, file.rows({.ratio = tenth / 10.0}));
    EXPECT_EQ(difference(stored, fresh), "") << tenth;
    const std::string& question = golden.query_text.at(static_cast<size_t>(tenth) % golden.query_text.size());
    const Answer expected = answer(model, fresh, question, {.max_tokens = 12});
    EXPECT_FALSE(expected.ids.empty());
    EXPECT_EQ(answer(model, stored, question, {.max_tokens = 12}).ids, expected.ids) << tenth;
  }
}

TEST(StoredContext, SmolLm2AnswersAsAFreshCompressionDoes) {
  expect_equal_answers(default_model_path(), "smollm2_lighthouse", {9, 8, 7, 6, 5, 4, 3, 2, 1});
}
TEST(StoredContext, Gemma3AnswersAsAFreshCompressionDoes) {
  expect_equal_answers(gemma_model_path(), "gemma3_lighthouse", {9, 8, 7, 6, 5, 4, 3, 2, 1});
}

}  // namespace
}  // namespace kvzip
