#include "kvzip/cli/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "kvzip/cli/format.h"

namespace kvzip::cli {
namespace {

double end_of(const ProfiledStage& stage) { return stage.begin + stage.seconds; }

/// The time of a stage in none of its operations: the host's own work, and what waiting for the device costs.
double seconds_outside(const ProfiledStage& stage, std::span<const OperationSum> sums) {
  double outside = stage.seconds;
  for (const OperationSum& sum : sums) outside -= sum.seconds;
  return std::max(outside, 0.0);
}

/// "12.3 GB/s, 41 %"; nothing where there is no work.
std::string achieved(double work, double seconds, double ceiling, double unit, const char* name) {
  if (work <= 0) return "";
  const double reached = rate(work, seconds);
  return fmt::format("{:.1f} {}, {:.0f} %", reached / unit, name, 100 * rate(reached, ceiling));
}

Json event(std::string_view name, std::string_view category, double begin, double seconds) {
  // Whole nanoseconds: sums of rounded numbers must not let one event end behind the next one's beginning.
  const auto nanoseconds = [](double time) { return std::floor(time * 1e9); };
  const double from = nanoseconds(begin);
  return {{"name", name},
          {"cat", category},
          {"ph", "X"},
          {"pid", 1},
          {"tid", 1},
          {"ts", from / 1e3},
          {"dur", (nanoseconds(begin + seconds) - from) / 1e3}};
}

}  // namespace

std::vector<OperationSum> sums_of(const Profile& profile, const ProfiledStage& stage) {
  std::vector<OperationSum> sums;
  for (const OperationCall& call : profile.calls) {
    if (call.begin < stage.begin || call.begin >= end_of(stage)) continue;
    auto sum = std::find_if(sums.begin(), sums.end(), [&](const OperationSum& each) { return each.name == call.name; });
    if (sum == sums.end()) sum = sums.insert(sums.end(), {call.name, 0, 0, {}});
    ++sum->calls;
    sum->seconds += call.seconds;
    sum->cost += call.cost;
  }
  std::sort(sums.begin(), sums.end(),
            [](const OperationSum& a, const OperationSum& b) { return a.seconds > b.seconds; });
  return sums;
}

std::string to_text(const Profile& profile, const TableLook& look) {
  const Ceilings& ceilings = profile.ceilings;
  std::string text = fmt::format("{}\n{}\n", profile.machine, profile.model);
  for (const ProfiledStage& stage : profile.stages) {
    const std::vector<OperationSum> sums = sums_of(profile, stage);
    Table table({{fmt::format("{}: {}, {}", stage.name, format_seconds(stage.seconds), counted(stage.tokens, "token"))},
                 {"calls", Align::right},
                 {"time", Align::right},
                 {"share", Align::right},
                 {"bytes, of copying", Align::right},
                 {"FLOP, of multiplying", Align::right}});
    for (const OperationSum& sum : sums) {
      table.add({std::string(sum.name), grouped(sum.calls), format_seconds(sum.seconds),
                 format_percent(rate(sum.seconds, stage.seconds)),
                 achieved(sum.cost.bytes, sum.seconds, ceilings.copy_bytes_per_s, 1e9, "GB/s"),
                 achieved(sum.cost.flop, sum.seconds, ceilings.product_flop_per_s, 1e9, "GFLOP/s")});
    }
    const double outside = seconds_outside(stage, sums);
    table.add({"outside of them", "", format_seconds(outside), format_percent(rate(outside, stage.seconds)), "", ""});
    text += "\n" + table.render(look);
  }
  return text +
         fmt::format(
             "\nThe device copies {:.1f} GB/s and multiplies at {:.1f} GFLOP/s, measured just now. Bytes and FLOP are "
             "the least that\nthe shapes need; data that stays in caches can be faster than copies. Waiting after "
             "every "
             "operation makes all of it slower.\n",
             ceilings.copy_bytes_per_s / 1e9, ceilings.product_flop_per_s / 1e9);
}

Json to_json(const Profile& profile) {
  Json stages = Json::array();
  for (const ProfiledStage& stage : profile.stages) {
    const std::vector<OperationSum> sums = sums_of(profile, stage);
    Json operations = Json::array();
    for (const OperationSum& sum : sums) {
      operations.push_back({{"name", sum.name},
                            {"calls", sum.calls},
                            {"seconds", sum.seconds},
                            {"bytes", sum.cost.bytes},
                            {"flop", sum.cost.flop},
                            {"bytes_per_s", rate(sum.cost.bytes, sum.seconds)},
                            {"flop_per_s", rate(sum.cost.flop, sum.seconds)}});
    }
    stages.push_back({{"name", stage.name},
                      {"tokens", stage.tokens},
                      {"seconds", stage.seconds},
                      {"seconds_outside", seconds_outside(stage, sums)},
                      {"operations", operations}});
  }
  return {{"machine", profile.machine},
          {"model", profile.model},
          {"ceilings",
           {{"copy_bytes_per_s", profile.ceilings.copy_bytes_per_s},
            {"product_flop_per_s", profile.ceilings.product_flop_per_s}}},
          {"stages", stages}};
}

std::string to_trace(const Profile& profile) {
  Json events = Json::array();
  events.push_back({{"name", "process_name"}, {"ph", "M"}, {"pid", 1}, {"args", {{"name", "kvzip " + profile.model}}}});
  events.push_back(
      {{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", 1}, {"args", {{"name", profile.machine}}}});
  for (const ProfiledStage& stage : profile.stages) {
    Json each = event(stage.name, "stage", stage.begin, stage.seconds);
    each["args"] = {{"tokens", stage.tokens}};
    events.push_back(std::move(each));
  }
  for (const OperationCall& call : profile.calls) {
    Json each = event(call.name, "operation", call.begin, call.seconds);
    each["args"] = {{"bytes", call.cost.bytes}, {"flop", call.cost.flop}};
    events.push_back(std::move(each));
  }
  const Json trace = {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
  return trace.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace kvzip::cli
