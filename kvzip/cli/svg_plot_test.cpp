// Plots: round axes, every point inside them, and text that can't break the file.
#include "kvzip/cli/svg_plot.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <sstream>

namespace kvzip::cli {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

size_t count_of(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

/// The points of each polyline.
std::vector<std::vector<std::pair<double, double>>> polylines(const std::string& svg) {
  std::vector<std::vector<std::pair<double, double>>> lines;
  const std::string opening = "points=\"";
  for (size_t at = svg.find(opening); at != std::string::npos; at = svg.find(opening, at + 1)) {
    const size_t begin = at + opening.size();
    std::istringstream numbers(svg.substr(begin, svg.find('"', begin) - begin));
    lines.emplace_back();
    double x = 0;
    double y = 0;
    char comma = ' ';
    while (numbers >> x >> comma >> y) lines.back().emplace_back(x, y);
  }
  return lines;
}

TEST(SvgPlot, TicksAreRoundAndReachTheLargestValue) {
  EXPECT_EQ(round_ticks(10, 5), (std::vector<double>{0, 2, 4, 6, 8, 10}));
  EXPECT_EQ(round_ticks(128, 5), (std::vector<double>{0, 50, 100, 150}));
  EXPECT_EQ(round_ticks(3, 1), (std::vector<double>{0, 5}));
  for (const double nothing : {0.0, -1.0, kInfinity, std::nan("")}) {
    EXPECT_EQ(round_ticks(nothing, 5), (std::vector<double>{0, 1}));
  }
  for (double most = 1e-6; most < 1e9; most *= 1.37) {
    const std::vector<double> ticks = round_ticks(most, 5);
    ASSERT_GE(ticks.back(), most * (1 - 1e-9));
    ASSERT_LT(ticks[ticks.size() - 2], most);
    ASSERT_LE(ticks.size(), 7U);
    ASSERT_GE(ticks.size(), 3U);
  }
}

TEST(SvgPlot, PointsLieInsideThePictureInTheirOrder) {
  const Plot plot{"t", "x", "y", {{"a", {{0, 0}, {50, 1}, {100, 4}}}, {"b", {{100, 2}}}}};
  const std::string svg = render_svg("h", {plot, plot});
  const auto lines = polylines(svg);
  ASSERT_EQ(lines.size(), 4U);
  ASSERT_EQ(lines[0].size(), 3U);
  for (const auto& line : lines) {
    for (const auto& [x, y] : line) {
      EXPECT_GE(x, 0);
      EXPECT_LE(x, 340);
      EXPECT_GE(y, 0);
      EXPECT_LE(y, 300);
    }
  }
  EXPECT_LT(lines[0][0].first, lines[0][1].first);
  EXPECT_GT(lines[0][1].second, lines[0][2].second);  // up is less
  EXPECT_NEAR(lines[0][1].first - lines[0][0].first, lines[0][2].first - lines[0][1].first, 0.2);
  EXPECT_EQ(lines[0], lines[2]);
}

TEST(SvgPlot, LeavesOutWhatCantBeDrawn) {
  const Plot plot{"t", "x", "y", {{"a", {{1, 1}, {2, kInfinity}, {3, std::nan("")}, {-4, 1}, {5, 5}}}, {"none", {}}}};
  const auto lines = polylines(render_svg("h", {plot}));
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_EQ(lines[0].size(), 2U);
  EXPECT_EQ(count_of(render_svg("h", {}), "<svg"), 1U);
}

TEST(SvgPlot, TextIsEscapedAndTagsClose) {
  const Plot plot{"a < b & c", "</svg>", "\"y\"\n", {{"<script>", {{1, 1}}}}};
  const std::string svg = render_svg("&amp;", {plot});
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  EXPECT_NE(svg.find("&amp;amp;"), std::string::npos);
  EXPECT_EQ(svg.find("<script>"), std::string::npos);
  EXPECT_EQ(count_of(svg, "</svg>"), 1U);
  EXPECT_EQ(count_of(svg, "<text"), count_of(svg, "</text>"));
  EXPECT_EQ(count_of(svg, "<g "), count_of(svg, "</g>"));
}

}  // namespace
}  // namespace kvzip::cli
