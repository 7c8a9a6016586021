// How the ways of cutting a text are shown: coloured pieces and a table, or JSON. Stateless.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "kvzip/cli/json_output.h"
#include "kvzip/cli/splitting.h"

namespace kvzip::cli {

/// The first of `pieces` in at most `lines` lines of `width` columns: on backgrounds that take turns, or with | between
/// them.
std::string pieces_in_lines(const std::vector<std::string>& pieces, size_t width, size_t lines, bool colours);

/// Each way with its rule and the beginning of the text, then a table that compares them.
std::string splitting_report(const std::vector<Splitting>& splittings, size_t width, bool colours);

Json to_json(const Splitting& splitting);

}  // namespace kvzip::cli
