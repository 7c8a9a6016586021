// What `kvzip bench kv-cache` found: a table, JSON and a plot. Pure functions.
#pragma once

#include <string>

#include "kvzip/cli/json_output.h"
#include "kvzip/cli/kv_cache_runs.h"
#include "kvzip/cli/table.h"

namespace kvzip::cli {

struct KvCacheReport {
  std::string model;
  std::string machine;
  size_t threads = 1;
  GenerationFigure generation;
  PromptFigure prompts;
};

/// Numbers of tokens that are worth a row: all of them, and halves down to 8.
std::vector<size_t> row_lengths(size_t tokens);
std::string to_text(const KvCacheReport& report, const TableLook& look);
Json to_json(const KvCacheReport& report);
std::string to_svg(const KvCacheReport& report);

}  // namespace kvzip::cli
