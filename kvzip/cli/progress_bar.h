// Tells people on stderr how far the stages are: a bar on a terminal, once a stage takes longer than half a second, and
// one line per finished stage. One thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "kvzip/base/progress.h"

namespace kvzip::cli {

class ProgressBar {
 public:
  explicit ProgressBar(bool quiet);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  /// Starts a stage shown as `title`, in `unit`s; the result is for the stage's options and stops it at Ctrl-C. The bar
  /// must outlive it.
  ProgressFn stage(std::string title, std::string unit = "token");
  /// One line about something that is done. Nothing if quiet.
  void note(std::string_view line);
  /// The same as "title   what".
  void note(std::string_view title, std::string_view what);

 private:
  using Clock = std::chrono::steady_clock;

  void update(const Progress& state);
  void draw(const Progress& state, double seconds);
  void clear();

  bool quiet_;
  bool terminal_;
  std::string title_;
  std::string unit_;
  Clock::time_point start_;
  Clock::time_point drawn_;
  bool visible_ = false;
};

/// The bar's text for `done` of `total` after `seconds`, at most `width` columns.
std::string bar_line(std::string_view title, const std::string& unit, const Progress& state, double seconds,
                     size_t width);

}  // namespace kvzip::cli
