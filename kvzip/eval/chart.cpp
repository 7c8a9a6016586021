#include "kvzip/eval/chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>
#include <utility>

#include "kvzip/text/lossy_utf8.h"

namespace kvzip {
namespace {

// Pixels.
constexpr double kLeft = 48;
constexpr double kRight = 14;
constexpr double kTop = 34;
constexpr double kBottom = 44;
constexpr double kPlotHeight = 330;  // with its title and the labels of its axes
constexpr double kEntryHeight = 16;  // of the legend
constexpr double kSample = 18;
constexpr double kCell = 34;
// Names of more bytes don't fit beside each other.
constexpr size_t kShortName = 26;
constexpr size_t kColours = 8;
constexpr size_t kTicks = 5;

double clamped(double value) { return std::clamp(value, 0.0, 1.0); }
double x_of(double value) { return kLeft + clamped(value) * (kChartWidth - kLeft - kRight); }
double y_of(double value) { return kPlotHeight - kBottom - clamped(value) * (kPlotHeight - kTop - kBottom); }

std::string text_at(double x, double y, std::string_view attributes, std::string_view text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" {}>{}</text>\n", x, y, attributes, escape_markup(text));
}

std::string line_from(double x1, double y1, double x2, double y2, std::string_view attributes) {
  return fmt::format("<line x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\" {}/>\n", x1, y1, x2, y2,
                     attributes);
}

std::string axes(const Chart& chart) {
  std::string out;
  for (size_t tick = 0; tick <= kTicks; ++tick) {
    const double value = static_cast<double>(tick) / kTicks;
    const std::string label = fmt::format("{:.0f}", value * 100);
    out += line_from(x_of(0), y_of(value), x_of(1), y_of(value), R"(class="grid")");
    out += text_at(x_of(0) - 6, y_of(value) + 4, R"(class="label" text-anchor="end")", label);
    out += text_at(x_of(value), y_of(0) + 16, R"(class="label" text-anchor="middle")", label);
  }
  out += text_at((x_of(0) + x_of(1)) / 2, kPlotHeight - 8, R"(class="label" text-anchor="middle")", chart.x_label);
  const double middle = (y_of(0) + y_of(1)) / 2;
  out += text_at(12, middle,
                 fmt::format(R"svg(class="label" text-anchor="middle" transform="rotate(-90 12 {:.1f})")svg", middle),
                 chart.y_label);
  return out + text_at(kLeft / 2, 20, R"(class="title")", chart.title);
}

std::string band(const ChartLine& line, const std::string& colour) {
  std::string points;
  for (const ChartPoint& point : line.points) points += fmt::format("{:.1f},{:.1f} ", x_of(point.x), y_of(point.high));
  for (const ChartPoint& point : std::views::reverse(line.points))
    points += fmt::format("{:.1f},{:.1f} ", x_of(point.x), y_of(point.low));
  return fmt::format("<polygon points=\"{}\" fill=\"{}\" opacity=\"0.15\"/>\n", points, colour);
}

std::string path(const ChartLine& line, const std::string& colour, const std::string& stroke) {
  std::string points;
  std::string dots;
  for (const ChartPoint& point : line.points) {
    points += fmt::format("{:.1f},{:.1f} ", x_of(point.x), y_of(point.y));
    dots += fmt::format(
        "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}: {:.1f} % at {:g} % kept "
        "({:.1f} to {:.1f})</title></circle>\n",
        x_of(point.x), y_of(point.y), colour, escape_markup(line.name), point.y * 100, point.x * 100, point.low * 100,
        point.high * 100);
  }
  return fmt::format("<polyline points=\"{}\" fill=\"none\" {}/>\n{}", points, stroke, dots);
}

/// Colours come back after a while, and are dashed then.
std::string stroke_of(size_t line) {
  return fmt::format(R"(stroke="{}" stroke-width="2"{})", chart_colour(line),
                     line < kColours ? "" : R"( stroke-dasharray="6 3")");
}

struct LegendEntry {
  std::string_view name;
  std::string attributes;  // of its line
};

/// By columns, so that related lines, which follow each other, stay together.
struct Legend {
  std::vector<LegendEntry> entries;
  size_t columns, rows;
};

Legend legend_of(const Chart& chart) {
  std::vector<LegendEntry> entries;
  if (chart.level) entries.push_back({chart.level_name, R"(class="level")"});
  for (size_t i = 0; i < chart.lines.size(); ++i) entries.push_back({chart.lines[i].name, stroke_of(i)});
  const bool all_short =
      std::ranges::all_of(entries, [](const LegendEntry& each) { return each.name.size() <= kShortName; });
  const size_t columns = all_short ? 2 : 1;
  const size_t rows = (entries.size() + columns - 1) / columns;
  return {std::move(entries), columns, rows};
}

/// Below the plot, where no line can be.
std::string draw_legend(const Legend& legend) {
  std::string out;
  for (size_t i = 0; i < legend.entries.size(); ++i) {
    const auto column = static_cast<double>(i / legend.rows), row = static_cast<double>(i % legend.rows);
    const double x = kLeft / 2 + column * (kChartWidth - kLeft / 2) / static_cast<double>(legend.columns);
    const double y = kPlotHeight + (row + 0.5) * kEntryHeight;
    out += line_from(x, y, x + kSample, y, legend.entries[i].attributes);
    out += text_at(x + kSample + 5, y + 4, R"(class="label")", legend.entries[i].name);
  }
  return out;
}

}  // namespace

double chart_height(const Chart& chart) {
  return kPlotHeight + static_cast<double>(legend_of(chart).rows) * kEntryHeight + 10;
}

std::string draw_chart(const Chart& chart, double x, double y) {
  std::string out = fmt::format(
      "<svg class=\"chart\" x=\"{0:g}\" y=\"{1:g}\" width=\"{2:g}\" height=\"{3:g}\" "
      "viewBox=\"0 0 {2:g} {3:g}\" role=\"img\" aria-label=\"{4}\">\n",
      x, y, kChartWidth, chart_height(chart), escape_markup(chart.title));
  out += axes(chart);
  if (chart.level) out += line_from(x_of(0), y_of(*chart.level), x_of(1), y_of(*chart.level), R"(class="level")");
  for (size_t i = 0; i < chart.lines.size(); ++i) out += band(chart.lines[i], chart_colour(i));
  for (size_t i = 0; i < chart.lines.size(); ++i) out += path(chart.lines[i], chart_colour(i), stroke_of(i));
  out += draw_legend(legend_of(chart));
  return out + "</svg>\n";
}

std::string draw_heat_map(const HeatMap& map) {
  const double left = 64;
  const double top = 44;
  const double width = left + kCell * static_cast<double>(map.columns.size()) + 12;
  const double height = top + kCell * static_cast<double>(map.rows.size()) + 34;
  std::string out = fmt::format(
      "<svg class=\"chart\" width=\"{0:g}\" height=\"{1:g}\" viewBox=\"0 0 {0:g} {1:g}\" role=\"img\" "
      "aria-label=\"{2}\">\n",
      width, height, escape_markup(map.title));
  out += text_at(4, 18, R"(class="title")", map.title);
  for (size_t column = 0; column < map.columns.size(); ++column) {
    const double x = left + kCell * (static_cast<double>(column) + 0.5);
    out += text_at(x, top - 6, R"(class="label" text-anchor="middle")", map.columns[column]);
  }
  for (size_t row = 0; row < map.rows.size(); ++row) {
    const double y = top + kCell * static_cast<double>(row);
    out += text_at(left - 6, y + kCell / 2 + 4, R"(class="label" text-anchor="end")", map.rows[row]);
    for (size_t column = 0; column < map.columns.size(); ++column) {
      const auto value = map.values[row * map.columns.size() + column];
      const double x = left + kCell * static_cast<double>(column);
      // From red over yellow to green, each dark enough for white digits.
      const std::string fill = value ? fmt::format("hsl({:.0f} 55% 38%)", 120 * clamped(*value)) : "none";
      out += fmt::format(
          "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:g}\" height=\"{:g}\" rx=\"3\" fill=\"{}\" class=\"cell\"/>\n",
          x + 1, y + 1, kCell - 2, kCell - 2, fill);
      if (value)
        out += text_at(x + kCell / 2, y + kCell / 2 + 4, R"(class="digits" text-anchor="middle")",
                       fmt::format("{:.0f}", *value * 100));
    }
  }
  const double middle = left + kCell * static_cast<double>(map.columns.size()) / 2;
  out += text_at(middle, height - 14, R"(class="label" text-anchor="middle")",
                 fmt::format("{} (across), {} (down)", map.column_label, map.row_label));
  return out + "</svg>\n";
}

std::string chart_colour(size_t index) { return fmt::format("var(--c{})", index % kColours); }

std::string_view chart_style() {
  return R"(:root{--ground:#fff;--ink:#1c1c1e;--faint:#6b6b70;--rule:#d8d8dc;--c0:#0b62c4;--c1:#c8430c;--c2:#2a7d2e;
--c3:#7a3fb0;--c4:#a36a00;--c5:#b0226e;--c6:#007c86;--c7:#5f5f66}
@media (prefers-color-scheme:dark){:root{--ground:#17181b;--ink:#ececf0;--faint:#a0a0a8;--rule:#3a3b40;--c0:#6cb0ff;
--c1:#ff9466;--c2:#7bd17f;--c3:#c79bf2;--c4:#e8b95a;--c5:#f58bc0;--c6:#5fd0d9;--c7:#b4b4bc}}
.chart{font-family:system-ui,sans-serif;font-size:11px}
.chart .title{font-size:12px;font-weight:600;fill:var(--ink)}.chart .label{fill:var(--faint)}
.chart .grid{stroke:var(--rule)}.chart .level{stroke:var(--faint);stroke-dasharray:5 4}
.chart .digits{fill:#fff}.chart .cell{stroke:var(--rule)}
)";
}

std::string escape_markup(std::string_view text) {
  std::string out;
  for (const char c : lossy_utf8(text)) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '"') {
      out += "&quot;";
    } else if (c == '\'') {
      out += "&#39;";
    } else if (c == '\n' || c == '\t' || static_cast<unsigned char>(c) >= 0x20) {
      out += c;
    }
  }
  return out;
}

}  // namespace kvzip
