// Text tables whose columns line up, whatever the terminal's width. Used by one thread.
#pragma once

#include <string>
#include <vector>

#include "kvzip/cli/terminal.h"

namespace kvzip::cli {

enum class Align : uint8_t { left, right };

struct Column {
  std::string title;
  Align align = Align::left;
  bool wraps = false;  ///< long text is broken into lines; other columns take the width that they need
};

struct Cell {
  std::string text;
  Style style = Style::plain;

  Cell(std::string words, Style look = Style::plain)
      : text(std::move(words)), style(look) {}  // NOLINT(google-explicit-constructor)
  Cell(const char* words) : text(words) {}      // NOLINT(google-explicit-constructor)
};

struct TableLook {
  size_t width = 80;
  bool colours = false;
  size_t max_lines = 8;  ///< of one cell; what is beyond ends in an ellipsis
  bool rules = true;     ///< thin lines between rows, where any of them wraps
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  /// One cell per column.
  void add(std::vector<Cell> cells);
  /// The table with a line feed after every line. Rows are set apart by a thin line where any of them wraps and `rules`
  /// asks for it.
  std::string render(const TableLook& look) const;

 private:
  std::vector<size_t> widths(size_t width) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace kvzip::cli
