#include "kvzip/cli/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "kvzip/eval/chart.h"

namespace kvzip::cli {
namespace {

// Pixels.
constexpr double kPlotWidth = 340;
constexpr double kPlotHeight = 300;
constexpr double kHeading = 40;
constexpr double kLeft = 62;
constexpr double kRight = 16;
constexpr double kTop = 58;
constexpr double kBottom = 48;
constexpr size_t kTicks = 5;
// Told apart by people who don't see all colours, and by their dashes.
constexpr std::array<std::string_view, 4> kColours = {"#0b62c4", "#d1480f", "#2a7d2e", "#7a3fb0"};
constexpr std::array<std::string_view, 4> kDashes = {"", "6 3", "2 3", "9 3 2 3"};

std::string text_at(double x, double y, std::string_view attributes, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, escape_markup(text));
}

std::string line_from(double x1, double y1, double x2, double y2, std::string_view colour) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"{}\"/>\n", x1, y1, x2, y2,
                     colour);
}

bool can_be_drawn(const std::pair<double, double>& point) {
  return std::isfinite(point.first) && std::isfinite(point.second) && point.first >= 0 && point.second >= 0;
}

/// One plot, with its upper left corner at (0, 0).
class Panel {
 public:
  explicit Panel(const Plot& plot) : plot_(plot) {
    double x_most = 0;
    double y_most = 0;
    for (const PlotLine& line : plot.lines) {
      for (const auto& point : line.points) {
        if (!can_be_drawn(point)) continue;
        x_most = std::max(x_most, point.first);
        y_most = std::max(y_most, point.second);
      }
    }
    x_ticks_ = round_ticks(x_most, kTicks);
    y_ticks_ = round_ticks(y_most, kTicks);
  }

  std::string draw() const {
    std::string out = text_at(kLeft, 20, R"(font-size="13" font-weight="bold")", plot_.title) + axes();
    for (size_t i = 0; i < plot_.lines.size(); ++i) out += draw_line(i) + legend(i);
    return out;
  }

 private:
  double x_of(double value) const { return kLeft + value / x_ticks_.back() * (kPlotWidth - kLeft - kRight); }
  double y_of(double value) const {
    return kPlotHeight - kBottom - value / y_ticks_.back() * (kPlotHeight - kTop - kBottom);
  }

  std::string axes() const {
    const double bottom = kPlotHeight - kBottom;
    std::string out;
    for (const double tick : y_ticks_) {
      out += line_from(kLeft, y_of(tick), kPlotWidth - kRight, y_of(tick), "#dcdcdc");
      out += text_at(kLeft - 6, y_of(tick) + 4, "text-anchor=\"end\"", fmt::format("{:g}", tick));
    }
    for (const double tick : x_ticks_) {
      out += line_from(x_of(tick), bottom, x_of(tick), bottom + 4, "#555");
      out += text_at(x_of(tick), bottom + 17, "text-anchor=\"middle\"", fmt::format("{:g}", tick));
    }
    out += line_from(kLeft, bottom, kPlotWidth - kRight, bottom, "#555");
    out += line_from(kLeft, kTop, kLeft, bottom, "#555");
    out += text_at((kLeft + kPlotWidth - kRight) / 2, kPlotHeight - 10, "text-anchor=\"middle\"", plot_.x_label);
    const double middle = (kTop + bottom) / 2;
    out += text_at(14, middle, fmt::format("text-anchor=\"middle\" transform=\"rotate(-90 14 {:.1f})\"", middle),
                   plot_.y_label);
    return out;
  }

  static std::string stroke(size_t index) {
    return fmt::format(R"(stroke="{}" stroke-width="2" stroke-dasharray="{}")", kColours[index % kColours.size()],
                       kDashes[index % kDashes.size()]);
  }

  std::string draw_line(size_t index) const {
    std::string points;
    for (const auto& point : plot_.lines[index].points) {
      if (can_be_drawn(point)) points += fmt::format("{:.1f},{:.1f} ", x_of(point.first), y_of(point.second));
    }
    if (points.empty()) return "";
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke-linejoin=\"round\" {}/>\n", points, stroke(index));
  }

  std::string legend(size_t index) const {
    const double y = kTop + 8 + 16 * static_cast<double>(index);
    return fmt::format("<line x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" y2=\"{2:.1f}\" {3}/>\n", kLeft + 10,
                       kLeft + 34, y, stroke(index)) +
           text_at(kLeft + 40, y + 4, "", plot_.lines[index].name);
  }

  const Plot& plot_;
  std::vector<double> x_ticks_;
  std::vector<double> y_ticks_;
};

}  // namespace

std::vector<double> round_ticks(double most, size_t wanted) {
  if (!std::isfinite(most) || most < 1e-12 || most > 1e15) return {0, 1};
  const double rough = most / static_cast<double>(std::max<size_t>(wanted, 1));
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  const double lead = rough / power;
  const double step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
  std::vector<double> ticks = {0};
  // The margin keeps a rounding error from adding a tick behind one that is the largest value.
  while (ticks.back() < most * (1 - 1e-9)) ticks.push_back(step * static_cast<double>(ticks.size()));
  return ticks;
}

std::string render_svg(const std::string& heading, const std::vector<Plot>& plots) {
  const double width = kPlotWidth * static_cast<double>(std::max<size_t>(plots.size(), 1));
  const double height = kHeading + kPlotHeight;
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0:g} {1:g}\" width=\"{0:g}\" height=\"{1:g}\" "
      "font-family=\"sans-serif\" font-size=\"11\" fill=\"#222\">\n"
      "<rect width=\"{0:g}\" height=\"{1:g}\" rx=\"8\" fill=\"#fdfdfd\"/>\n",
      width, height);
  out += text_at(16, 27, R"(font-size="15" font-weight="bold")", heading);
  for (size_t i = 0; i < plots.size(); ++i) {
    out += fmt::format("<g transform=\"translate({:g} {:g})\">\n{}</g>\n", kPlotWidth * static_cast<double>(i),
                       kHeading, Panel(plots[i]).draw());
  }
  return out + "</svg>\n";
}

}  // namespace kvzip::cli
