// One process for each of several devices: all run the rest of the command side by side, the first of them speaks. The
// process that started them waits, and ends when they have, with one error line if one failed. Process-wide state.
#pragma once

#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/rank_memory.h"

namespace kvzip::cli {

/// The devices that --device and --gpus (0 = not given) name, one for each rank: "cuda:0,1" are two, so are "cuda" and
/// 2 GPUs. Throws Error{usage} where they contradict each other, where a GPU is named twice, and for different kinds.
std::vector<std::string> device_list(const std::string& device, size_t gpus);

/// What the waiting process ends with. Thrown by start_ranks(), for main().
class RanksEnded : public std::exception {
 public:
  RanksEnded(int code, std::string line) : code_(code), line_(std::move(line)) {}
  int code() const { return code_; }
  /// Empty = nothing to say.
  const std::string& line() const { return line_; }

 private:
  int code_;
  std::string line_;
};

struct Rank {
  size_t index = 0;
  RankMemory* memory = nullptr;  ///< shared with the others; until the process ends
};

/// Forks a process for each of `devices` and returns in them. In the process that called it, throws RanksEnded once
/// they have ended; where one fails, the others are killed, as they wait for it in vain. Input must have been read
/// before, and no threads started: only what the first rank prints is seen.
Rank start_ranks(const std::vector<std::string>& devices);

/// In a rank's process: leaves the line and exit code of a failure to the process that waits, and returns true. False
/// elsewhere.
bool report_failure(std::string_view line, int code);

}  // namespace kvzip::cli
