// A picture of what compression keeps: one cell per layer and KV head. Stateless.
#pragma once

#include <string>
#include <vector>

#include "kvzip/cache/keep.h"
#include "kvzip/cli/table.h"

namespace kvzip::cli {

/// One line per scored layer (`layers` names their numbers in the model), one cell per KV head: the percentage of the
/// document's rows that is kept, and the layer's mean at the end. Where the heads don't fit into the width, a cell is
/// one digit in tenths, "#" standing for all. With colours the cells are shaded from dark (nothing kept) to bright
/// (all).
std::string heat_map(const Keep& keep, const std::vector<size_t>& layers, const TableLook& look);

}  // namespace kvzip::cli
