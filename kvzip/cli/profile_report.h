// What `kvzip profile` found, as a table, as JSON and as a trace for chrome://tracing and Perfetto. Pure functions.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "kvzip/backend/profiled_backend.h"
#include "kvzip/cli/bench_ceilings.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/table.h"

namespace kvzip::cli {

struct ProfiledStage {
  std::string name;
  double begin = 0;  ///< seconds since the start
  double seconds = 0;
  size_t tokens = 0;  ///< that went through the model
};

struct Profile {
  std::string machine;
  std::string model;
  std::vector<ProfiledStage> stages;
  std::vector<OperationCall> calls;  ///< in order; each lies inside one stage
  Ceilings ceilings;
};

/// All calls of one operation in one stage.
struct OperationSum {
  std::string_view name;
  size_t calls = 0;
  double seconds = 0;
  OperationCost cost;
};
/// Those of `stage`, the longest first.
std::vector<OperationSum> sums_of(const Profile& profile, const ProfiledStage& stage);

std::string to_text(const Profile& profile, const TableLook& look);
Json to_json(const Profile& profile);
/// Complete events ("X") in microseconds: stages, and inside them their operations with bytes and FLOP.
std::string to_trace(const Profile& profile);

}  // namespace kvzip::cli
