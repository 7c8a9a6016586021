#include "kvzip/cli/json_output.h"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

namespace kvzip::cli {
namespace {

std::string_view name_of(StopReason reason) {
  switch (reason) {
    case StopReason::stop_token:
      return "stop_token";
    case StopReason::max_tokens:
      return "max_tokens";
    case StopReason::context_full:
      return "context_full";
    case StopReason::caller:
      return "cancelled";
  }
  return "";
}

}  // namespace

void print_json(const Json& json) { fmt::print("{}\n", json.dump(2, ' ', false, Json::error_handler_t::replace)); }

void print_json_error(std::string_view line) { print_json({{"error", line}}); }

Json to_json(const Answer& answer) {
  return {{"text", answer.text},
          {"tokens", answer.ids.size()},
          {"stopped_by", name_of(answer.reason)},
          {"question_tokens", answer.question_tokens},
          {"first_token_seconds", answer.first_token_seconds},
          {"tokens_per_s", answer.tokens_per_second()}};
}

Json to_json(const Keep& keep) {
  Json layers = Json::array();
  for (size_t layer = 0; layer < keep.layers; ++layer) {
    const auto first = keep.rows.begin() + static_cast<std::ptrdiff_t>(layer * keep.kv_heads);
    layers.push_back(std::vector<uint32_t>(first, first + static_cast<std::ptrdiff_t>(keep.kv_heads)));
  }
  return layers;
}

}  // namespace kvzip::cli
