#include "kvzip/cli/table.h"

#include <algorithm>

#include "kvzip/base/check.h"
#include "kvzip/cli/display_text.h"

namespace kvzip::cli {
namespace {

constexpr size_t kGap = 2;  // columns between two columns
constexpr size_t kLeastWrapped = 8;

using Lines = std::vector<std::string>;

std::string repeated(std::string_view part, size_t count) {
  std::string line;
  for (size_t i = 0; i < count; ++i) line += part;
  return line;
}

std::string padded(const std::string& text, size_t width, Align align) {
  const size_t used = display_width(text);
  const std::string space(width > used ? width - used : 0, ' ');
  return align == Align::left ? text + space : space + text;
}

Lines lines_of_cell(const Cell& cell, const Column& column, size_t width, size_t most) {
  const std::string text = printable(cell.text);
  if (!column.wraps) return {shortened(one_line(text), width)};
  Lines lines = wrap(text, width);
  while (lines.size() > 1 && lines.back().empty()) lines.pop_back();
  if (lines.size() > most) {
    lines.resize(most);
    std::string& last = lines.back();
    last = display_width(last) < width ? last + "…" : shortened(last + " ", width);
  }
  return lines;
}

std::string trimmed(std::string line) {
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

}  // namespace

void Table::add(std::vector<Cell> cells) {
  check(cells.size() == columns_.size(), "a table's row has one cell per column");
  rows_.push_back(std::move(cells));
}

// Columns that don't wrap get what they need; the others share the rest, those that need less than their share first.
std::vector<size_t> Table::widths(size_t width) const {
  std::vector<size_t> found(columns_.size());
  std::vector<size_t> wrapping;
  size_t left = width - std::min(width, kGap * (columns_.size() - 1));
  for (size_t c = 0; c < columns_.size(); ++c) {
    found[c] = display_width(columns_[c].title);
    for (const auto& row : rows_) {
      const std::string text = columns_[c].wraps ? printable(row[c].text) : one_line(row[c].text);
      for (const std::string& line : wrap(text, std::string::npos)) found[c] = std::max(found[c], display_width(line));
    }
    if (columns_[c].wraps) {
      wrapping.push_back(c);
    } else {
      left -= std::min(left, found[c]);
    }
  }
  std::sort(wrapping.begin(), wrapping.end(), [&](size_t a, size_t b) { return found[a] < found[b]; });
  for (size_t i = 0; i < wrapping.size(); ++i) {
    size_t& natural = found[wrapping[i]];
    natural = std::min(natural, std::max(kLeastWrapped, left / (wrapping.size() - i)));
    left -= std::min(left, natural);
  }
  return found;
}

std::string Table::render(const TableLook& look) const {
  const std::vector<size_t> width = widths(look.width);
  size_t total = kGap * (width.size() - 1);
  for (const size_t each : width) total += each;

  std::vector<std::vector<Lines>> laid_out;
  bool tall = false;
  for (const auto& row : rows_) {
    std::vector<Lines>& cells = laid_out.emplace_back();
    for (size_t c = 0; c < row.size(); ++c) {
      cells.push_back(lines_of_cell(row[c], columns_[c], width[c], look.max_lines));
      tall = tall || cells.back().size() > 1;
    }
  }

  std::string text;
  std::string heads;
  for (size_t c = 0; c < columns_.size(); ++c) {
    const std::string title = padded(columns_[c].title, width[c], columns_[c].align);
    heads += styled(title, Style::heading, look.colours) + std::string(kGap, ' ');
  }
  text += trimmed(heads) + "\n" + styled(repeated("━", total), Style::dim, look.colours) + "\n";
  for (size_t r = 0; r < rows_.size(); ++r) {
    if (look.rules && tall && r > 0) text += styled(repeated("─", total), Style::dim, look.colours) + "\n";
    size_t height = 1;
    for (const Lines& cell : laid_out[r]) height = std::max(height, cell.size());
    for (size_t line = 0; line < height; ++line) {
      std::string shown;
      for (size_t c = 0; c < columns_.size(); ++c) {
        const Lines& cell = laid_out[r][c];
        const std::string part = line < cell.size() ? cell[line] : "";
        const std::string fill = padded(part, width[c], columns_[c].align);
        shown += styled(fill, part.empty() ? Style::plain : rows_[r][c].style, look.colours) + std::string(kGap, ' ');
      }
      text += trimmed(shown) + "\n";
    }
  }
  return text;
}

}  // namespace kvzip::cli
