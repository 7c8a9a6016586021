// A report's charts: score against what is kept.
#include <fmt/format.h>

#include <algorithm>

#include "kvzip/eval/report_charts.h"

namespace kvzip {

std::vector<Chart> report_charts(const std::vector<ReportTable>& tables) {
  std::vector<Chart> charts;
  for (const ReportTable& table : tables) {
    const std::string title = table.task + ", " + table.model;
    auto chart = std::find_if(charts.begin(), charts.end(), [&](const Chart& each) { return each.title == title; });
    if (chart == charts.end()) {
      charts.push_back(
          {title, "kept, % of the document's pairs", "score, %", {}, table.full.score.value, "full memory"});
      chart = charts.end() - 1;
    }
    ChartLine line{table.method, {}};
    for (const ReportRow& row : table.rows)
      line.points.push_back({row.kept, row.score.value, row.score.low, row.score.high});
    std::sort(line.points.begin(), line.points.end(), [](const auto& a, const auto& b) { return a.x < b.x; });
    chart->lines.push_back(std::move(line));
  }
  return charts;
}

std::string report_svg(const std::vector<ReportTable>& tables) {
  constexpr size_t kColumns = 3;
  const std::vector<Chart> charts = report_charts(tables);
  const size_t columns = std::clamp<size_t>(charts.size(), 1, kColumns);
  std::vector<double> tops = {0};  // of each row of panels, and the end of the last
  for (size_t i = 0; i < charts.size(); ++i) {
    if (i % columns == 0) tops.push_back(tops.back());
    tops.back() = std::max(tops.back(), tops[tops.size() - 2] + chart_height(charts[i]));
  }
  const double width = kChartWidth * static_cast<double>(columns);
  const double height = tops.back();
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:g}\" height=\"{1:g}\" "
      "viewBox=\"0 0 {0:g} {1:g}\">\n<style>{2}</style>\n"
      "<rect width=\"{0:g}\" height=\"{1:g}\" fill=\"var(--ground)\"/>\n",
      width, height, chart_style());
  for (size_t i = 0; i < charts.size(); ++i) {
    out += draw_chart(charts[i], kChartWidth * static_cast<double>(i % columns), tops[i / columns]);
  }
  return out + "</svg>\n";
}

}  // namespace kvzip
