// Machine-readable output: one JSON object per run on stdout. Stateless.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "kvzip/cli/engine.h"

namespace kvzip::cli {

using Json = nlohmann::ordered_json;

/// Indented, with a line feed. Bytes that are no UTF-8 (in a file's name, say) come out as U+FFFD.
void print_json(const Json& json);
/// What `--json` prints for a failure: {"error": line}.
void print_json_error(std::string_view line);
Json to_json(const Answer& answer);
/// Rows kept `[layers][kv_heads]`.
Json to_json(const Keep& keep);

}  // namespace kvzip::cli
