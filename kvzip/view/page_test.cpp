#include "kvzip/view/page.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/base64.h"
#include "kvzip/view/page_sources.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;

ViewedDocument small_document() {
  ViewedDocument document;
  document.name = "report.txt";
  document.model = "tiny";
  document.system_tokens = 4;
  document.token_texts = {"a", "b", "c"};
  document.scores = Scores(2, 1, 3);
  document.scores.values = {0.5F, 0.25F, 0.125F, 0.9F, 0.01F, 0.02F};
  document.layers = {1, 3};
  document.bytes_fixed = 100;
  document.bytes_document = 600;
  document.keep = 0.5;
  return document;
}

TEST(Page, DataIsWhatWasGiven) {
  const Json data = Json::parse(view_page_data(small_document()));
  EXPECT_EQ(data["document"], "report.txt");
  EXPECT_EQ(data["model"], "tiny");
  EXPECT_EQ(data["layers"], (std::vector<int>{1, 3}));
  EXPECT_EQ(data["kv_heads"], 1);
  EXPECT_EQ(data["texts"], (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(data["bytes_fixed"], 100);
  EXPECT_EQ(data["bytes_document"], 600);
  EXPECT_EQ(data["ratios"][data["start"].get<size_t>()], 0.5);
  EXPECT_EQ(data["histogram"]["counts"].size(), 2U);
  // int(6 x 0.5) - 1 = 2: scores above the third, 0.25, are kept at 0.5.
  const auto kept = decode_base64(data["first_kept"].get<std::string>());
  ASSERT_TRUE(kept);
  std::vector<bool> at_half;
  for (const char step : *kept) at_half.push_back(static_cast<uint8_t>(step) <= data["start"].get<size_t>());
  EXPECT_EQ(at_half, (std::vector<bool>{true, false, false, true, false, false}));
}

TEST(Page, NothingFromTheDocumentIsMarkup) {
  ViewedDocument document = small_document();
  document.name = "</title><b>&amp;.txt";
  document.model = std::string("model\xFF\x01</script>");
  document.token_texts = {"</script><script>alert(1)</script>", "<!-- \xE2\x80\xA8 & \x1B[31m", "<!-- data -->\\\"'"};
  const std::string text = view_page_data(document);
  EXPECT_EQ(text.find_first_of("<>&"), std::string::npos);
  EXPECT_TRUE(std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }));
  const Json data = Json::parse(text);
  EXPECT_EQ(data["document"], document.name);
  EXPECT_EQ(data["texts"], document.token_texts);
  EXPECT_EQ(data["model"], "model\xEF\xBF\xBD\x01</script>");
}

TEST(Page, IsItsSourceWithTheDataInOnePlace) {
  const std::string source(view_page_source());
  const size_t mark = source.find(kPageDataMark);
  ASSERT_NE(mark, std::string::npos);
  EXPECT_EQ(source.find(kPageDataMark, mark + 1), std::string::npos);
  const std::string data = view_page_data(small_document());
  EXPECT_EQ(view_page(small_document()),
            source.substr(0, mark) + data + source.substr(mark + std::string(kPageDataMark).size()));
}

TEST(Page, HoldsItsStyleAndScriptAndNoAddress) {
  const std::string page = view_page(small_document());
  EXPECT_TRUE(page.starts_with("<!DOCTYPE html>"));
  EXPECT_NE(page.find("IntersectionObserver"), std::string::npos);
  EXPECT_NE(page.find("--ground:"), std::string::npos);
  for (const char* part : {"/* page.css */", "/* page.js */", "src=", "@import", "url(h", "https:"})
    EXPECT_EQ(page.find(part), std::string::npos) << part;
}

TEST(Page, AnotherNumberOfTextsThanOfScoresIsOurMistake) {
  ViewedDocument document = small_document();
  document.token_texts.pop_back();
  EXPECT_THROW(view_page_data(document), Error);
}

}  // namespace
}  // namespace kvzip
