#include "kvzip/eval/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/eval/changed_words.h"
#include "kvzip/eval/chart.h"
#include "kvzip/eval/run.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

/// Document `index` of a needle task with one question per score: the full memory knows it all, the cut what `scores`
/// say.
DocumentRecord record_of(size_t index, const std::vector<double>& scores, const std::string& scoring = "exact") {
  DocumentRecord record;
  record.settings = {.task = "needle",
                     .model = "small",
                     .weights = "stored",
                     .chat_template = "chatml",
                     .level = "pair",
                     .policy = "kvzip",
                     .scoring = scoring,
                     .kv_type = "f16",
                     .device = "cpu",
                     .files = "built-in",
                     .tokens = 500,
                     .seed = 1,
                     .max_questions = 0,
                     .ratios = {0.3, 0.5},
                     .version = "0"};
  record.index = index;
  record.document_tokens = 480;
  record.kv_bytes_full = size_t{4} << 20U;
  record.depth = static_cast<double>(index) / 10;
  record.cuts = {{0.3, 0.29, 0.1, size_t{1} << 20U}, {0.5, 0.5, 0.05, size_t{2} << 20U}};
  for (const double score : scores) {
    const AnswerRecord full{"It is <b>blue</b> & old", 1, 0.9, -0.1, 0.5, {}, -0.5};
    AnswerRecord cut = full;
    cut.text = "It is <i>red</i> & old";
    cut.score = score;
    cut.log_p_right = -2;
    record.questions.push_back({"What <colour>?", "blue", "include", full, {cut, full}});
  }
  return record;
}

class Report : public ::testing::Test {
 protected:
  void store(const DocumentRecord& record) const {
    const std::string path = result_path(folder_.path(), record.settings, record.index);
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path) << to_json(record).dump(2);
  }
  void store_three() const {
    store(record_of(0, {1, 0}));
    store(record_of(1, {0, 0}));
    store(record_of(2, {1}));
  }

  TempFolder folder_;
};

TEST_F(Report, MeansAreOverDocumentsWithIntervals) {
  store_three();
  const auto results = read_results({folder_.path()});
  ASSERT_EQ(results.size(), 3U);
  const auto tables = make_report(results);
  ASSERT_EQ(tables.size(), 1U);
  const ReportTable& table = tables.front();
  EXPECT_EQ(table.documents, 3U);
  EXPECT_EQ(table.questions, 5U);
  EXPECT_EQ(table.full.score.value, 1);
  ASSERT_EQ(table.rows.size(), 2U);
  EXPECT_EQ(table.rows[0].ratio, 0.5) << "most kept first";
  EXPECT_EQ(table.rows[0].same_answers, 1);
  const ReportRow& cut = table.rows[1];
  EXPECT_DOUBLE_EQ(cut.score.value, (0.5 + 0 + 1) / 3);
  EXPECT_DOUBLE_EQ(cut.relative.value, 0.5);
  EXPECT_LE(cut.score.low, 0.2);
  EXPECT_GE(cut.score.high, 0.8);
  EXPECT_DOUBLE_EQ(cut.log_p_right.value, -2);
  EXPECT_EQ(cut.same_answers, 0);
  EXPECT_DOUBLE_EQ(cut.kv_bytes, 1 << 20);
  EXPECT_DOUBLE_EQ(cut.kept, 0.29);
}

TEST_F(Report, TextFormsHoldEveryRatio) {
  store_three();
  store(record_of(0, {1}, "local"));
  const auto results = read_results({folder_.path()});
  const auto tables = make_report(results);
  ASSERT_EQ(tables.size(), 2U);
  const std::string csv = report_csv(tables);
  EXPECT_EQ(std::count(csv.begin(), csv.end(), '\n'), 1 + 2 * 3);
  const std::string header = csv.substr(0, csv.find('\n'));
  const auto fields = std::count(header.begin(), header.end(), ',');
  for (size_t at = 0; at < csv.size(); at = csv.find('\n', at) + 1) {
    const std::string line = csv.substr(at, csv.find('\n', at) - at);
    EXPECT_EQ(std::count(line.begin(), line.end(), ','), fields) << line;
  }
  EXPECT_NE(csv.find("needle,small,kvzip pair,3,5,0.3,0.290000,0.500000,"), std::string::npos) << csv;
  const std::string markdown = report_markdown(tables);
  EXPECT_NE(markdown.find("kvzip local pair"), std::string::npos);
  EXPECT_NE(markdown.find("| 0.3 | 50.0 ("), std::string::npos) << markdown;
}

/// Whether all elements of a page are closed in order; those without an end are known.
bool is_balanced(const std::string& page) {
  std::vector<std::string> open;
  for (size_t at = 0; (at = page.find('<', at)) != std::string::npos; ++at) {
    const size_t end = page.find('>', at);
    if (end == std::string::npos) return false;
    const std::string tag = page.substr(at + 1, end - at - 1);
    const std::string name =
        tag.substr(tag.front() == '/' ? 1 : 0, tag.find_first_of(" />", 1) - (tag.front() == '/' ? 1 : 0));
    if (tag.front() == '!' || tag.back() == '/' || name == "meta" || name == "br") continue;
    if (tag.front() != '/') {
      open.push_back(name);
    } else {
      if (open.empty() || open.back() != tag.substr(1)) return false;
      open.pop_back();
    }
  }
  return open.empty();
}

TEST_F(Report, ThePageIsWholeAndNeedsNothingElse) {
  store_three();
  const auto results = read_results({folder_.path()});
  const std::string page = report_html(make_report(results));
  EXPECT_TRUE(is_balanced(page));
  EXPECT_FALSE(is_balanced(page + "<p>")) << "the check can fail";
  for (const char* outside : {"http:", "https:", "src=", "@import", "<script"})
    EXPECT_EQ(page.find(outside), std::string::npos) << outside;
  EXPECT_NE(page.find("prefers-color-scheme:dark"), std::string::npos);
  EXPECT_NE(page.find("What &lt;colour&gt;?"), std::string::npos) << "a document's text is no markup";
  EXPECT_EQ(page.find("<i>red"), std::string::npos);
  EXPECT_NE(page.find("<del>&lt;b&gt;blue&lt;/b&gt;</del> <ins>&lt;i&gt;red&lt;/i&gt;</ins>"), std::string::npos);
  EXPECT_NE(page.find("Needles by depth"), std::string::npos);
  const std::string picture = report_svg(make_report(results));
  EXPECT_TRUE(is_balanced(picture));
  EXPECT_EQ(std::count(picture.begin(), picture.end(), '\n') > 20, true);
  EXPECT_NE(picture.find("<polygon"), std::string::npos) << "intervals are drawn";
}

TEST_F(Report, WrongPlacesAreSaidByName) {
  const auto message = [](const std::string& place) {
    try {
      read_results({place});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(message(folder_.path()).find("expected results"), std::string::npos);
  EXPECT_NE(message(folder_.file("none")).find("none"), std::string::npos);
  std::ofstream(folder_.file("output-pair.json")) << "{}";
  EXPECT_NE(message(folder_.path()).find("settings"), std::string::npos);
  std::filesystem::remove(folder_.file("output-pair.json"));
  store_three();
  const std::string copy = folder_.file("r");
  std::filesystem::copy(result_path(folder_.path(), record_of(0, {1}).settings, 0), copy);
  EXPECT_EQ(read_results({copy}).size(), 1U) << "any name will do for a file that is named";
  DocumentRecord other = record_of(3, {1});
  other.settings.ratios = {0.3, 0.4};
  store(other);
  const auto results = read_results({folder_.path()});
  EXPECT_THROW(make_report(results), Error);
}

TEST(ChangedWords, AreMarkedInOrder) {
  EXPECT_EQ(mark_changes("a b c d", "a x c d e"), "a <del>b</del> <ins>x</ins> c d <ins>e</ins>");
  EXPECT_EQ(mark_changes("", "new"), "<ins>new</ins>");
  EXPECT_EQ(mark_changes("old", ""), "<del>old</del>");
  EXPECT_EQ(mark_changes("same words", "same words"), "same words");
}

/// The numbers of `name="..."` in the order in which they stand in a picture.
std::vector<double> attributes(const std::string& picture, const std::string& name) {
  std::vector<double> values;
  const std::string before = " " + name + "=\"";
  for (size_t at = picture.find(before); at != std::string::npos; at = picture.find(before, at + 1))
    values.push_back(std::stod(picture.substr(at + before.size())));
  return values;
}

Chart chart_of(size_t lines, const std::string& name) {
  Chart chart{"title", "kept", "score", {}, 0.5, "full memory"};
  for (size_t i = 0; i < lines; ++i) chart.lines.push_back({name + std::to_string(i), {{0.3, 0, 0, 0}, {1, 1, 1, 1}}});
  return chart;
}

TEST(Charts, LegendsStandBelowAllThatIsDrawn) {
  for (const char* name : {"short", "a name that is too long to stand beside another one"}) {
    const Chart chart = chart_of(13, name);
    const std::string drawn = draw_chart(chart);
    double lowest = 0;  // of the lines' points; a score of 0 is as low as any comes
    for (const double y : attributes(drawn, "cy")) lowest = std::max(lowest, y);
    std::vector<std::pair<double, double>> places;
    const auto text_place = [&](const std::string& text) {
      const size_t at = drawn.rfind("<text", drawn.find(">" + text + "<"));
      const std::string element = drawn.substr(at, drawn.find('>', at) - at);
      return std::pair(attributes(element, "x").at(0), attributes(element, "y").at(0));
    };
    const double axis_label = text_place("kept").second;
    EXPECT_GT(axis_label, lowest);
    places.push_back(text_place("full memory"));
    for (const ChartLine& line : chart.lines) places.push_back(text_place(line.name));
    for (size_t i = 0; i < places.size(); ++i) {
      EXPECT_GT(places[i].second, axis_label);
      EXPECT_LT(places[i].second, chart_height(chart));
      for (size_t j = 0; j < i; ++j)
        EXPECT_TRUE(places[i].first != places[j].first || std::abs(places[i].second - places[j].second) > 11)
            << "entries " << j << " and " << i;
    }
    EXPECT_EQ(attributes(drawn, "stroke-dasharray").size(), 2 * (13U - 8U)) << "in the plot and in the legend";
  }
  EXPECT_LT(chart_height(chart_of(13, "short")), chart_height(chart_of(13, "a name that is too long to stand")));
}

TEST_F(Report, PanelsWithManyMethodsDontCoverOthers) {
  for (const char* task : {"a", "b", "c", "d", "e"}) {
    for (size_t method = 0; method < (*task == 'b' ? 7U : 2U); ++method) {
      DocumentRecord record = record_of(0, {1}, "kind" + std::to_string(method));
      record.settings.task = task;
      store(record);
    }
  }
  const auto results = read_results({folder_.path()});
  const std::string picture = report_svg(make_report(results));
  const double whole = attributes(picture, "height").at(0);
  std::vector<double> tops, heights;
  for (size_t at = picture.find("class=\"chart\""); at != std::string::npos;
       at = picture.find("class=\"chart\"", at + 1)) {
    const std::string element = picture.substr(at, picture.find('>', at) - at);
    tops.push_back(attributes(element, "y").at(0));
    heights.push_back(attributes(element, "height").at(0));
  }
  ASSERT_EQ(tops.size(), 5U);
  for (size_t panel = 0; panel < 3; ++panel) EXPECT_EQ(tops[panel], 0);
  for (size_t panel = 3; panel < 5; ++panel) {
    EXPECT_EQ(tops[panel], heights[1]) << "below the highest of the first row";
    EXPECT_LE(tops[panel] + heights[panel], whole);
  }
  EXPECT_GT(heights[1], heights[0]);
}

TEST(Charts, EscapeWhatTheyShow) {
  EXPECT_EQ(escape_markup("<a href=\"x\">&'\x01\n\xff"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\n\xef\xbf\xbd");
  EXPECT_EQ(chart_colour(1), chart_colour(9));
  const HeatMap map{"m", "rows", "columns", {"1"}, {"a", "b"}, {0.5, std::nullopt}};
  const std::string drawn = draw_heat_map(map);
  EXPECT_NE(drawn.find(">50<"), std::string::npos);
  EXPECT_NE(drawn.find("fill=\"none\""), std::string::npos);
}

}  // namespace
}  // namespace kvzip
