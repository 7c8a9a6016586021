#include "kvzip/cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

namespace kvzip::cli {
namespace {

constexpr size_t kUsualWidth = 80;
constexpr size_t kNarrowest = 40;
constexpr size_t kWidest = 160;

bool is_set(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0';
}

const char* code_of(Style style) {
  switch (style) {
    case Style::plain:
      return "";
    case Style::bold:
      return "1";
    case Style::dim:
      return "2";
    case Style::good:
      return "32";
    case Style::bad:
      return "33";
    case Style::heading:
      return "1;36";
  }
  return "";
}

}  // namespace

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

size_t terminal_width(std::FILE* stream) {
  size_t width = kUsualWidth;
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    width = size.ws_col;
  } else if (is_set("COLUMNS")) {
    width = std::strtoul(std::getenv("COLUMNS"), nullptr, 10);
  }
  return std::clamp(width, kNarrowest, kWidest);
}

bool wants_colours(std::FILE* stream) {
  const char* kind = std::getenv("TERM");
  return is_terminal(stream) && !is_set("NO_COLOR") && (kind == nullptr || std::strcmp(kind, "dumb") != 0);
}

std::string styled(std::string_view text, Style style, bool colours) {
  if (!colours || style == Style::plain) return std::string(text);
  return fmt::format("\x1b[{}m{}\x1b[0m", code_of(style), text);
}

std::string on_background(std::string_view text, int background, bool dark_text) {
  return fmt::format("\x1b[{};48;5;{}m{}\x1b[0m", dark_text ? "38;5;16" : "38;5;255", background, text);
}

}  // namespace kvzip::cli
