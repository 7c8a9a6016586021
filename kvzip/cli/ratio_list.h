// Lists of keep ratios as people type them. Stateless.
#pragma once

#include <string_view>
#include <vector>

namespace kvzip::cli {

/// "1.0,0.5,0.3": different fractions KEPT above 0 and up to 1. Throws Error{usage} that begins with --ratios.
std::vector<double> parse_ratios(std::string_view text);

}  // namespace kvzip::cli
