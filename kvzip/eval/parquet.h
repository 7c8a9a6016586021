// Parquet files as rows of JSON. Where the program was built without Arrow, no_parquet.cpp stands in for it. Stateless.
#pragma once

#include <string>

#include "kvzip/eval/published.h"

namespace kvzip {

/// The rows of the Parquet file at `path`, in order: texts, numbers, booleans, lists and structs of them. Whatever is
/// null is null. Row groups are read one by one. The source throws Error{input} for a file that is missing or corrupt,
/// Error{unsupported} for a column of another kind, or in a build without Arrow.
RowSource parquet_rows(const std::string& path);

/// Whether this build can read them.
bool has_parquet();

}  // namespace kvzip
