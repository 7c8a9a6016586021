#include "kvzip/cli/table.h"

#include <gtest/gtest.h>

#include <sstream>

#include "kvzip/base/error.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/heat_map.h"

namespace kvzip::cli {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(Table, AlignsItsColumns) {
  Table table({{"name"}, {"n", Align::right}});
  table.add({"caf\xC3\xA9", "7"});
  table.add({"tea", "1,234"});
  EXPECT_EQ(table.render({}),
            "name      n\n"
            "━━━━━━━━━━━\n"
            "caf\xC3\xA9      7\n"
            "tea   1,234\n");
}

TEST(Table, WrapsLongTextAndSetsTallRowsApart) {
  Table table({{"question", Align::left, true}, {"answer", Align::left, true}, {"", Align::right}});
  table.add({"who is it", "the keeper of the light", "+"});
  table.add({"where", "here", "-"});
  EXPECT_EQ(table.render({.width = 26}),
            "question   answer\n"
            "━━━━━━━━━━━━━━━━━━━━━━━━━━\n"
            "who is it  the keeper    +\n"
            "           of the light\n"
            "──────────────────────────\n"
            "where      here          -\n");
}

TEST(Table, StaysWithinAnyWidthThatIsReasonable) {
  for (size_t width = 40; width <= 160; width += 3) {
    Table table({{"Question", Align::left, true},
                 {"Full", Align::left, true},
                 {"Kept", Align::left, true},
                 {"", Align::right}});
    table.add({std::string(70, 'q'), "short", std::string(300, 'k') + " end", "x"});
    table.add({"a few words that wrap somewhere", std::string("one two three ") + std::string(90, 'z'), "", "y"});
    for (const std::string& line : lines_of(table.render({.width = width})))
      ASSERT_LE(display_width(line), width) << line;
  }
}

TEST(Table, CutsVeryLongCells) {
  Table table({{"t", Align::left, true}});
  table.add({"one two three four five six"});
  EXPECT_EQ(table.render({.width = 9, .max_lines = 2}), "t\n━━━━━━━━━\none two\nthree…\n");
}

TEST(Table, HasNoEscapesWithoutColoursAndNoneFromItsCells) {
  Table table({{"t"}});
  table.add({Cell("\x1b[2Jgone\nnext", Style::good)});
  EXPECT_EQ(table.render({}).find('\x1b'), std::string::npos);
  EXPECT_NE(table.render({.colours = true}).find("\x1b[32m[2Jgone next"), std::string::npos);
}

TEST(Table, RowsMatchTheColumns) {
  Table table({{"a"}, {"b"}});
  EXPECT_THROW(table.add({"only one"}), Error);
}

TEST(HeatMap, ShowsPercentPerHeadAndTheMean) {
  const Keep keep{2, 2, 10, {10, 0, 3, 4}};
  EXPECT_EQ(heat_map(keep, {0, 5}, {}),
            "layer    h0   h1    mean\n"
            "    0   100    0     50%\n"
            "    5    30   40     35%\n");
}

TEST(HeatMap, UsesOneDigitWhereHeadsAreMany) {
  Keep keep{1, 40, 10, {}};
  for (uint32_t head = 0; head < 40; ++head) keep.rows.push_back(head % 11);
  const std::string map = heat_map(keep, {3}, {.width = 60});
  EXPECT_EQ(map.substr(0, 18), "    3  0123456789#");
  for (const std::string& line : lines_of(map)) EXPECT_LE(line.size(), 60U);
}

TEST(HeatMap, ShadesOnlyWithColours) {
  const Keep keep{1, 1, 4, {2}};
  EXPECT_EQ(heat_map(keep, {0}, {}).find('\x1b'), std::string::npos);
  EXPECT_NE(heat_map(keep, {0}, {.colours = true}).find("48;5;"), std::string::npos);
}

}  // namespace
}  // namespace kvzip::cli
