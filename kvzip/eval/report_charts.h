// The pictures of a report, shared by its SVG and its page. Pure functions.
#pragma once

#include <vector>

#include "kvzip/eval/chart.h"
#include "kvzip/eval/report.h"

namespace kvzip {

/// One per task and model, with a line per method.
std::vector<Chart> report_charts(const std::vector<ReportTable>& tables);

}  // namespace kvzip
