// Stands in for parquet.cpp where there is no Arrow.
#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/eval/parquet.h"

namespace kvzip {

RowSource parquet_rows(const std::string& path) {
  throw Error(
      ErrorCode::unsupported,
      fmt::format("{}: this build can't read Parquet; build it where the Python package pyarrow is, or convert the "
                  "file to lines of JSON (.jsonl)",
                  path));
}

bool has_parquet() { return false; }

}  // namespace kvzip
