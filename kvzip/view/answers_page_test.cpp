#include "kvzip/view/answers_page.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvzip/view/page_sources.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;

TEST(AnswersPage, HoldsWhatWasGivenAndNoMarkupOfIt) {
  ViewedAnswers answers;
  answers.name = "</title>.txt";
  answers.model = "tiny\xFF";
  answers.document_tokens = 12;
  answers.kept_ratio = 0.25;
  answers.bytes_full = 400;
  answers.bytes_kept = 100;
  answers.questions = {
      {"<b>Who?</b>", {{"</script>", 0.5F, 0.25F, "</script>", "Ada"}}, {{"Ada", 0.125F, 1, "A", "Ada"}}},
      {"Nothing?", {}, {}}};
  const std::string page = answers_page(answers);
  const std::string_view source = answers_page_source();
  const size_t begin = source.find(kPageDataMark);
  ASSERT_NE(begin, std::string_view::npos);
  const size_t behind = source.size() - begin - kPageDataMark.size();
  EXPECT_EQ(page.substr(0, begin), source.substr(0, begin));
  EXPECT_EQ(page.substr(page.size() - behind), source.substr(source.size() - behind));
  const std::string text = page.substr(begin, page.size() - behind - begin);
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  const Json data = Json::parse(text);
  EXPECT_EQ(data["document"], "</title>.txt");
  EXPECT_EQ(data["model"], "tiny\xEF\xBF\xBD");
  EXPECT_EQ(data["kept_ratio"], 0.25);
  ASSERT_EQ(data["questions"].size(), 2U);
  EXPECT_EQ(data["questions"][0]["question"], "<b>Who?</b>");
  EXPECT_EQ(data["questions"][0]["full"], Json::parse(R"([{"text": "</script>", "p_full": 0.5, "p_kept": 0.25,
      "top_full": "</script>", "top_kept": "Ada"}])"));
  EXPECT_EQ(data["questions"][0]["kept"][0]["p_full"], 0.125);
  EXPECT_TRUE(data["questions"][1]["full"].empty());
}

TEST(AnswersPage, HasItsStyleAndScriptAndNoAddress) {
  const std::string page = answers_page({});
  for (const char* part : {"--ground:", ".answer span", "kApart"})
    EXPECT_NE(page.find(part), std::string::npos) << part;
  for (const char* part : {"/* page.css */", "/* answers.css */", "/* answers.js */", "src=", "@import", "https:"})
    EXPECT_EQ(page.find(part), std::string::npos) << part;
}

}  // namespace
}  // namespace kvzip
