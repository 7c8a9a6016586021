// What `kvzip info` says of a context file. Stateless.
#pragma once

#include <string>

#include "kvzip/cli/json_output.h"
#include "kvzip/cli/table.h"
#include "kvzip/store/context_file.h"

namespace kvzip::cli {

std::string to_text(const ContextFile& file, const TableLook& look);
Json to_json(const ContextFile& file);

}  // namespace kvzip::cli
