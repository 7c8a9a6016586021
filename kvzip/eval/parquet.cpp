#include "kvzip/eval/parquet.h"

#include <arrow/api.h>
#include <arrow/io/file.h>
#include <fmt/format.h>
#include <parquet/arrow/reader.h>

#include <nlohmann/json.hpp>

namespace kvzip {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const std::string& path, const std::string& what) {
  throw Error(ErrorCode::input, fmt::format("{}: {}", path, what));
}

void expect(const std::string& path, const arrow::Status& status) {
  if (!status.ok()) fail(path, "expected a Parquet file: " + status.message().substr(0, status.message().find('\n')));
}

template <class T>
T value_of(const std::string& path, arrow::Result<T> result) {
  expect(path, result.status());
  return std::move(result).ValueUnsafe();
}

json cell(const std::string& path, const arrow::Array& array, int64_t row);

template <class ListArray>
json list_cell(const std::string& path, const ListArray& array, int64_t row) {
  json list = json::array();
  for (int64_t i = array.value_offset(row); i < array.value_offset(row + 1); ++i)
    list.push_back(cell(path, *array.values(), i));
  return list;
}

json struct_cell(const std::string& path, const arrow::StructArray& array, int64_t row) {
  json object = json::object();
  for (int i = 0; i < array.num_fields(); ++i)
    object[array.struct_type()->field(i)->name()] = cell(path, *array.field(i), row);
  return object;
}

template <class Array>
auto number_cell(const arrow::Array& array, int64_t row) {
  return static_cast<const Array&>(array).Value(row);
}

json cell(const std::string& path, const arrow::Array& array, int64_t row) {
  if (array.IsNull(row)) return nullptr;
  switch (array.type_id()) {
    case arrow::Type::STRING:
      return static_cast<const arrow::StringArray&>(array).GetString(row);
    case arrow::Type::LARGE_STRING:
      return static_cast<const arrow::LargeStringArray&>(array).GetString(row);
    case arrow::Type::BOOL:
      return static_cast<bool>(number_cell<arrow::BooleanArray>(array, row));
    case arrow::Type::INT32:
      return number_cell<arrow::Int32Array>(array, row);
    case arrow::Type::INT64:
      return number_cell<arrow::Int64Array>(array, row);
    case arrow::Type::FLOAT:
      return number_cell<arrow::FloatArray>(array, row);
    case arrow::Type::DOUBLE:
      return number_cell<arrow::DoubleArray>(array, row);
    case arrow::Type::LIST:
      return list_cell(path, static_cast<const arrow::ListArray&>(array), row);
    case arrow::Type::LARGE_LIST:
      return list_cell(path, static_cast<const arrow::LargeListArray&>(array), row);
    case arrow::Type::STRUCT:
      return struct_cell(path, static_cast<const arrow::StructArray&>(array), row);
    default:
      throw Error(ErrorCode::unsupported,
                  fmt::format("{}: expected columns of texts, numbers, lists and structs, found {}", path,
                              array.type()->ToString()));
  }
}

void visit_table(const std::string& path, const arrow::Table& table, size_t& number, const VisitRow& visit) {
  arrow::TableBatchReader batches(table);
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    expect(path, batches.ReadNext(&batch));
    if (batch == nullptr) return;
    for (int64_t row = 0; row < batch->num_rows(); ++row) {
      json object = json::object();
      for (int column = 0; column < batch->num_columns(); ++column)
        object[batch->column_name(column)] = cell(path, *batch->column(column), row);
      visit(JsonFields(fmt::format("{}: row {}", path, ++number), object));
    }
  }
}

void visit_rows(const std::string& path, const VisitRow& visit) {
  const auto file = value_of(path, arrow::io::ReadableFile::Open(path));
  const auto reader = value_of(path, parquet::arrow::OpenFile(file, arrow::default_memory_pool()));
  size_t number = 0;
  for (int group = 0; group < reader->num_row_groups(); ++group) {
    const auto table = value_of(path, reader->ReadRowGroup(group));
    expect(path, table->ValidateFull());
    visit_table(path, *table, number, visit);
  }
}

}  // namespace

RowSource parquet_rows(const std::string& path) {
  return [path](const VisitRow& visit) {
    try {
      visit_rows(path, visit);
    } catch (const Error&) {
      throw;
    } catch (const std::bad_alloc&) {
      throw;
    } catch (const std::exception& error) {  // Arrow's own, of corrupt files
      fail(path, error.what());
    }
  };
}

bool has_parquet() { return true; }

}  // namespace kvzip
