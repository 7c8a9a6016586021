#include "kvzip/eval/metrics.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "kvzip/base/json.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/rouge.h"

namespace kvzip {
namespace {

using nlohmann::json;

json golden(const std::string& name) { return read_json(KVZIP_SOURCE_DIR "/tests/golden/metrics/" + name); }

TEST(Metrics, AreTheOriginals) {
  const json rows = golden("metrics.json");
  ASSERT_GT(rows.size(), 10U);
  for (const json& row : rows) {
    const std::string pred = row["pred"];
    const std::string ref = row["ref"];
    SCOPED_TRACE(pred + " | " + ref);
    EXPECT_EQ(normalize_answer(pred), row["normalized_pred"]);
    EXPECT_EQ(normalize_answer(ref), row["normalized_ref"]);
    EXPECT_DOUBLE_EQ(f1_score(pred, ref), row["f1"]);
    EXPECT_EQ(include_score(pred, ref), row["include"] == 1.0);
    EXPECT_EQ(exact_score(pred, ref), row["exact"] == 1.0);
    EXPECT_DOUBLE_EQ(rouge_score(pred, ref), row["rouge_l"]);
    EXPECT_DOUBLE_EQ(include_all_score(pred, ref, Compared::normalized), row["include_multi"]);
    EXPECT_EQ(gsm_score(pred, ref), row["include_gsm"] == 1.0);
    EXPECT_EQ(many_shot_score(pred, ref), row["many_shot"] == 1.0);
  }
}

TEST(Metrics, RougeIsThePackages) {
  const json rows = golden("rouge_l.json");
  ASSERT_GT(rows.size(), 40U);
  for (const json& row : rows) {
    const std::string pred = row["pred"];
    const std::string ref = row["ref"];
    EXPECT_NEAR(rouge_l(pred, ref), row["rouge_l"].get<double>(), 1e-12) << pred << " | " << ref;
  }
}

TEST(Metrics, NormalisationTakesWholeWordsOnly) {
  EXPECT_EQ(normalize_answer("The theatre, an Anthem & A-One_two"), "theatre anthem aonetwo");
  EXPECT_EQ(normalize_answer("  Nine\tlives\x1f"
                             "of\u00a0one\u2003cat "),
            "9 lives of 1 cat");
  EXPECT_EQ(normalize_answer("\u00c9T\u00c9 one\u00e9 two\u0301"),
            "\u00e9t\u00e9 one\u00e9 2\u0301");  // no mark is part of a word
  EXPECT_EQ(normalize_answer("the the"), "");
  EXPECT_EQ(normalize_answer("no\xff more"), "no\xef\xbf\xbd more");
}

TEST(Metrics, GradeFollowsEachTask) {
  EXPECT_EQ(grade(Metric::include, "It is Paris.</s>", "paris"), 1);
  EXPECT_EQ(grade(Metric::include, " </s>", ""), 0) << "a blank answer is worth nothing";
  EXPECT_EQ(grade(Metric::include_all, "VAR A, VAR B", "VAR A, VAR b"), 0.5) << "letter by letter";
  EXPECT_EQ(grade(Metric::exact, "12", "12"), 1);
  EXPECT_EQ(grade(Metric::exact, "12.", "12"), 0);
  EXPECT_EQ(grade(Metric::first_line, "Anna\nbecause of Bert", "Bert"), 0);
  EXPECT_EQ(grade(Metric::first_line, "Anna\nbecause of Bert", "anna"), 1);
  EXPECT_DOUBLE_EQ(grade(Metric::f1_or_include, "red car", "blue car"), 0.5);
  EXPECT_EQ(grade(Metric::f1_or_include, "a very fast blue car indeed", "blue car"), 1);
  EXPECT_EQ(grade(Metric::gsm, "5 + 6 = 11. The answer is 11.", "so #### 11"), 1);
  EXPECT_EQ(grade(Metric::gsm, "11 apples. The answer is 12.", "so #### 11"), 0);
  EXPECT_EQ(grade(Metric::many_shot, "(B", "(B) Paris"), 1);
  EXPECT_EQ(grade(Metric::many_shot, "(A) Paris", "(B) Paris"), 0);
  EXPECT_NEAR(grade(Metric::rouge, "a b c d", "a c d"), 2 * 0.75 / 1.75, 1e-7);
}

TEST(Metrics, EveryMetricHasANameOfItsOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i <= static_cast<int>(Metric::gsm); ++i) names.insert(metric_name(static_cast<Metric>(i)));
  EXPECT_EQ(names.size(), static_cast<size_t>(Metric::gsm) + 1);
}

}  // namespace
}  // namespace kvzip
