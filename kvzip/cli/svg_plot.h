// Line plots as one self-contained SVG picture on a light ground, which stays readable on dark pages. Pure functions.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace kvzip::cli {

struct PlotLine {
  std::string name;  ///< in the legend
  std::vector<std::pair<double, double>> points;
};

struct Plot {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<PlotLine> lines;
};

/// The plots side by side under one heading. Axes begin at 0 and end at a round number beyond the largest value; points
/// that aren't finite or are negative are left out.
std::string render_svg(const std::string& heading, const std::vector<Plot>& plots);

/// About `wanted` round numbers (1, 2 or 5 times a power of ten apart) from 0 to the first one that is not below
/// `most`; {0, 1} where `most` is not positive or not finite.
std::vector<double> round_ticks(double most, size_t wanted);

}  // namespace kvzip::cli
