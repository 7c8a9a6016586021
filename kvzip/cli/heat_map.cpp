#include "kvzip/cli/heat_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace kvzip::cli {
namespace {

// Of the 256 terminal colours, from dark blue over green to yellow: one per tenth.
constexpr std::array<int, 11> kShades = {234, 17, 18, 24, 30, 36, 35, 71, 107, 149, 227};
constexpr size_t kDarkTextFrom = 5;
constexpr size_t kMargin = 16;  // the layer's number before the cells and its mean behind them
constexpr size_t kPercentCell = 5;

std::string cell_text(double kept, size_t width) {
  if (width == kPercentCell) return fmt::format("{:>4.0f} ", kept * 100);
  const auto tenths = static_cast<size_t>(std::floor(kept * 10 + 1e-9));
  return fmt::format("{:>{}}", tenths >= 10 ? "#" : std::to_string(tenths), width);
}

std::string cell(double kept, size_t width, bool colours) {
  std::string text = cell_text(kept, width);
  if (!colours) return text;
  const auto shade = std::min(kShades.size() - 1, static_cast<size_t>(std::lround(kept * 10)));
  return on_background(text, kShades[shade], shade >= kDarkTextFrom);
}

}  // namespace

std::string heat_map(const Keep& keep, const std::vector<size_t>& layers, const TableLook& look) {
  const size_t room = look.width > kMargin ? look.width - kMargin : 0;
  const size_t width = keep.kv_heads * kPercentCell <= room ? kPercentCell : keep.kv_heads * 2 <= room ? 2 : 1;
  std::string map;
  if (width == kPercentCell) {
    map = "layer  ";
    for (size_t head = 0; head < keep.kv_heads; ++head) map += fmt::format("{:>4} ", fmt::format("h{}", head));
    map += "   mean\n";
  }
  for (size_t layer = 0; layer < keep.layers; ++layer) {
    map += fmt::format("{:>5}  ", layers[layer]);
    double sum = 0;
    for (size_t head = 0; head < keep.kv_heads; ++head) {
      const double kept = keep.len == 0 ? 1 : static_cast<double>(keep.at(layer, head)) / static_cast<double>(keep.len);
      map += cell(kept, width, look.colours);
      sum += kept;
    }
    map += fmt::format("  {:>4.0f}%\n", 100 * sum / static_cast<double>(std::max<size_t>(keep.kv_heads, 1)));
  }
  return map;
}

}  // namespace kvzip::cli
