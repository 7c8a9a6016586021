#include "kvzip/model/safetensors_write.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string_view>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr size_t kHeaderMultiple = 8;  // so that the data begins aligned

/// Places in NamedArray::values, widest first.
constexpr std::array<std::string_view, 3> kArrayTypes = {"F32", "F16", "U8"};

std::span<const std::byte> array_bytes(const NamedArray& array) {
  return std::visit([](auto values) { return std::as_bytes(values); }, array.values);
}

size_t value_count(const NamedArray& array) {
  return std::visit([](auto values) { return values.size(); }, array.values);
}

/// The header's length and text, padded with blanks as the format allows.
std::string header_of(std::span<const NamedArray* const> arrays, const std::map<std::string, std::string>& metadata) {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  uint64_t offset = 0;
  for (const NamedArray* array : arrays) {
    uint64_t values = 1;
    for (const uint64_t extent : array->shape) values *= extent;
    check(values == value_count(*array), "an array has as many values as its shape says");
    check(!header.contains(array->name), "arrays of one file have different names");
    const uint64_t end = offset + array_bytes(*array).size();
    header[array->name] = {
        {"dtype", kArrayTypes.at(array->values.index())}, {"shape", array->shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + kHeaderMultiple - 1) / kHeaderMultiple * kHeaderMultiple, ' ');
  const uint64_t length = text.size();
  std::string result(sizeof(length), '\0');
  std::memcpy(result.data(), &length, sizeof(length));
  return result + text;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const NamedArray> arrays,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<const NamedArray*> ordered;
  for (const NamedArray& array : arrays) ordered.push_back(&array);
  // The widest first, so that all are aligned.
  std::ranges::stable_sort(ordered, {}, [](const NamedArray* array) { return array->values.index(); });
  const std::string header = header_of(ordered, metadata);
  write_file_atomically(path, [&](FileWriter& file) {
    file.write(header);
    for (const NamedArray* array : ordered) file.write(array_bytes(*array));
  });
}

}  // namespace kvzip
