// Charts as SVG elements that take their colours from the page: light and dark. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

/// Both axes run from 0 to 1, and are labelled in per cent.
struct ChartPoint {
  double x = 0;
  double y = 0;
  double low = 0;  ///< of the interval around y
  double high = 0;
};

struct ChartLine {
  std::string name;
  std::vector<ChartPoint> points;  ///< by x
};

struct Chart {
  std::string title;
  std::string x_label;
  std::string y_label;
  std::vector<ChartLine> lines;
  std::optional<double> level;  ///< a dashed line to compare with
  std::string level_name;
};

/// One panel, kChartWidth x chart_height(chart), at the place (x, y) of a larger picture. The legend stands below the
/// plot.
inline constexpr double kChartWidth = 380;
double chart_height(const Chart& chart);
std::string draw_chart(const Chart& chart, double x = 0, double y = 0);

/// Values in [0, 1] by row and column; nothing where there is none.
struct HeatMap {
  std::string title;
  std::string row_label;
  std::string column_label;
  std::vector<std::string> rows;
  std::vector<std::string> columns;
  std::vector<std::optional<double>> values;  ///< [rows, columns]
};
std::string draw_heat_map(const HeatMap& map);

/// What the classes in charts mean; goes into a <style> of the page or of the file.
std::string_view chart_style();

/// A number from which a picture's colours are made: CSS variables --c0 to --c7, and again from the start.
std::string chart_colour(size_t index);

/// `text` for HTML and SVG: &, <, > and quotes escaped, control characters other than line feeds and tabs dropped,
/// invalid UTF-8 replaced.
std::string escape_markup(std::string_view text);

}  // namespace kvzip
