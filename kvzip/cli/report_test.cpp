// What the commands show: agreement of answers, the comparison, numbers, the progress bar.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "kvzip/cli/agreement.h"
#include "kvzip/cli/ask_report.h"
#include "kvzip/cli/bench_runs.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"

namespace kvzip::cli {
namespace {

TEST(Agreement, TellsSameFromRewordedFromDifferent) {
  EXPECT_EQ(compare_answers("It is Biscuit.", " It is Biscuit.\n"), Agreement::same);
  EXPECT_EQ(compare_answers("The dog is called Biscuit.", "The dog is Biscuit."), Agreement::reworded);
  EXPECT_EQ(compare_answers("It opened on 12 May 1926.", "It was opened on 12 May 1926."), Agreement::reworded);
  EXPECT_EQ(compare_answers("The number is 5520.", "The number is 5521."), Agreement::differs);
  EXPECT_EQ(compare_answers("The dog is called Biscuit.", "The dog is called Bramble."), Agreement::differs);
  EXPECT_EQ(compare_answers("It is red.", "It is green."), Agreement::differs);  // no name or number to go by
  EXPECT_EQ(compare_answers("Ask Ada.", "In the long winter of that year only Ada stayed behind to keep the stove."),
            Agreement::differs);
  EXPECT_EQ(compare_answers("", ""), Agreement::same);
}

TEST(Format, WritesNumbersForPeople) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(counted(1, "token"), "1 token");
  EXPECT_EQ(counted(2000, "token"), "2,000 tokens");
  EXPECT_EQ(format_seconds(0.00034), "340 µs");
  EXPECT_EQ(format_seconds(0.0482), "48 ms");
  EXPECT_EQ(format_seconds(2.104), "2.10 s");
  EXPECT_EQ(format_seconds(200), "3 min 20 s");
  EXPECT_EQ(format_percent(0.3), "30 %");
  EXPECT_EQ(format_percent(0.2957), "29.6 %");
  EXPECT_EQ(format_rate(1834.4), "1,834/s");
  EXPECT_EQ(format_rate(87.26), "87.3/s");
}

TEST(Spread, HasTheMiddleAndTheEnds) {
  const Spread odd = spread_of({5, 1, 3});
  EXPECT_EQ(odd.median, 3);
  EXPECT_EQ(odd.min, 1);
  EXPECT_EQ(odd.max, 5);
  EXPECT_EQ(spread_of({4, 1, 2, 8}).median, 3);
  EXPECT_EQ(spread_of({7}).median, 7);
}

TEST(ProgressBar, FitsTheWidthAndFillsUp) {
  for (size_t width = 40; width < 130; width += 7) {
    for (size_t done = 0; done <= 100; done += 9) {
      EXPECT_LE(display_width(bar_line("scoring", "token", {"scoring", done, 100}, 2.0, width)), width);
    }
  }
  const std::string half = bar_line("scoring", "token", {"scoring", 2000, 4000}, 2.0, 100);
  EXPECT_NE(half.find("50 %"), std::string::npos) << half;
  EXPECT_NE(half.find("2,000/4,000 tokens"), std::string::npos) << half;
  EXPECT_NE(half.find("1,000/s"), std::string::npos) << half;
  EXPECT_NE(half.find("2.00 s left"), std::string::npos) << half;
}

Answer answer_of(const std::string& text, double first, double tokens_per_second) {
  Answer answer;
  answer.text = text;
  answer.ids = {1, 2, 3};
  answer.first_token_seconds = first;
  answer.decode_seconds = 2 / tokens_per_second;
  return answer;
}

AskReport example() {
  AskReport report;
  report.document = "log.txt";
  report.system_tokens = 30;
  report.document_tokens = 1500;
  report.prefill_seconds = 2;
  report.compressed = true;
  report.kept_ratio = 0.3;
  report.kv_bytes_full = size_t{40} << 20U;
  report.kv_bytes_kept = size_t{10} << 20U;
  report.questions = {"Who keeps the light?", "When did it open, and who was there on that day to see it?"};
  report.full = {answer_of("Ada Lind keeps it.", 0.10, 100), answer_of("It opened in 1911.", 0.20, 120)};
  report.kept = {answer_of("Ada Lind keeps it.", 0.05, 200),
                 answer_of("It was in 1912, when the whole town came.", 0.10, 300)};
  return report;
}

TEST(AskReport, ComparisonShowsAnswersMemoryAndSpeedAtAnyWidth) {
  for (const size_t width : {80U, 100U, 120U}) {
    const std::string text = comparison(example(), {.width = width});
    for (const char* part :
         {"Who keeps the light?", "Ada Lind keeps it.", "✓", "≠", "1 of 2 answers the same", "40.0 MiB", "10.0 MiB",
          "25 %", "120.0/s", "300.0/s", "2.50x", "200 ms", "100 ms", "2.00x", "765.0/s"}) {
      EXPECT_NE(text.find(part), std::string::npos) << part << " is missing in\n" << text;
    }
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) EXPECT_LE(display_width(line), width) << line;
  }
}

TEST(AskReport, JsonHasBothAnswersOrOne) {
  const Json both = to_json(example());
  EXPECT_EQ(both["answers"][0]["same"], true);
  EXPECT_EQ(both["answers"][1]["agreement"], "differs");
  EXPECT_EQ(both["answers"][1]["kept"]["text"], "It was in 1912, when the whole town came.");
  EXPECT_EQ(both["kv_bytes_kept"], size_t{10} << 20U);
  AskReport full = example();
  full.kept.clear();
  full.compressed = false;
  const Json one = to_json(full);
  EXPECT_TRUE(one["answers"][0].contains("full"));
  EXPECT_FALSE(one["answers"][0].contains("kept"));
  EXPECT_FALSE(one.contains("kept_ratio"));
}

}  // namespace
}  // namespace kvzip::cli
