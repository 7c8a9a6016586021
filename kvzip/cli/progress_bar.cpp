#include "kvzip/cli/progress_bar.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {
namespace {

constexpr double kShowAfter = 0.5;                            // seconds; what is done sooner needs no bar
constexpr auto kRedrawEvery = std::chrono::milliseconds(80);  // faster than the eye needs costs time
constexpr size_t kTitleWidth = 12;
constexpr size_t kWidestBar = 40;

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

}  // namespace

std::string bar_line(std::string_view title, const std::string& unit, const Progress& state, double seconds,
                     size_t width) {
  const size_t total = std::max<size_t>(state.total, 1);
  const double part = std::min(1.0, static_cast<double>(state.done) / static_cast<double>(total));
  const double rate = seconds > 0 ? static_cast<double>(state.done) / seconds : 0;
  const std::string left = part > 0 ? format_seconds(seconds * (1 - part) / part) + " left" : "";
  const std::string figures =
      fmt::format(" {:3.0f} %  {:>{}}/{}  {}  {}", part * 100, grouped(state.done), grouped(state.total).size(),
                  counted(state.total, unit), format_rate(rate), left);
  const std::string name = fmt::format("{:<{}}", title, kTitleWidth);
  const size_t taken = display_width(name) + display_width(figures) + 1;
  const size_t cells = std::min(kWidestBar, width > taken ? width - taken : 0);
  const auto eighths = static_cast<size_t>(part * static_cast<double>(cells * 8));
  constexpr std::string_view kPartly[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string bar;
  for (size_t i = 0; i < eighths / 8; ++i) bar += "█";
  bar += kPartly[eighths % 8];
  for (size_t used = eighths / 8 + (eighths % 8 > 0 ? 1 : 0); used < cells; ++used) bar += "░";
  return shortened(name + bar + figures, width);
}

ProgressBar::ProgressBar(bool quiet) : quiet_(quiet), terminal_(is_terminal(stderr)) {}

ProgressFn ProgressBar::stage(std::string title, std::string unit) {
  clear();
  title_ = std::move(title);
  unit_ = std::move(unit);
  start_ = drawn_ = Clock::now();
  return [this](const Progress& state) {
    update(state);
    return !interrupted();
  };
}

void ProgressBar::update(const Progress& state) {
  if (quiet_) return;
  const Clock::time_point now = Clock::now();
  const double seconds = seconds_between(start_, now);
  if (state.done == state.total) {
    clear();
    const double rate = seconds > 0 ? static_cast<double>(state.total) / seconds : 0;
    note(title_, fmt::format("{}, {}, {}", counted(state.total, unit_), format_seconds(seconds), format_rate(rate)));
  } else if (terminal_ && seconds >= kShowAfter && now - drawn_ >= kRedrawEvery) {
    drawn_ = now;
    draw(state, seconds);
  }
}

void ProgressBar::draw(const Progress& state, double seconds) {
  const std::string line = bar_line(title_, unit_, state, seconds, terminal_width(stderr) - 1);
  fmt::print(stderr, "\r{}\x1b[K", line);
  std::fflush(stderr);
  visible_ = true;
}

void ProgressBar::clear() {
  if (visible_) fmt::print(stderr, "\r\x1b[K");
  visible_ = false;
}

void ProgressBar::note(std::string_view line) {
  if (quiet_) return;
  clear();
  fmt::print(stderr, "{}\n", styled(line, Style::dim, wants_colours(stderr)));
}

void ProgressBar::note(std::string_view title, std::string_view what) {
  note(fmt::format("{:<{}}{}", title, kTitleWidth, what));
}

}  // namespace kvzip::cli
