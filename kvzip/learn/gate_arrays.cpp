#include "kvzip/learn/gate_arrays.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

constexpr std::array<std::pair<std::string_view, DType>, 3> kReadable = {
    {{"F32", DType::f32}, {"F16", DType::f16}, {"BF16", DType::bf16}}};

std::string shape_text(const ArrayShape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

}  // namespace

void fail_gate(const std::string& path, std::string_view field, const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::input, fmt::format("{}: {}: expected {}, found {}", path, field, expected, found));
}

ArrayShape array_shape(const SafetensorsFile& file, const std::string& name, size_t extents) {
  const ArrayShape& shape = file.at(name).shape;
  if (shape.size() != extents || std::ranges::find(shape, 0U) != shape.end())
    fail_gate(file.file.path(), name, fmt::format("a shape of {} extents above 0", extents), shape_text(shape));
  return shape;
}

std::vector<float> array_values(const SafetensorsFile& file, const std::string& name, const ArrayShape& shape,
                                Backend& backend) {
  const SafetensorsArray& array = file.at(name);
  const auto* const known = std::ranges::find(kReadable, array.dtype, &decltype(kReadable)::value_type::first);
  if (known == kReadable.end() || array.shape != shape) {
    fail_gate(file.file.path(), name, fmt::format("F32, F16 or BF16 {} for this model", shape_text(shape)),
              fmt::format("{} {}", quote(array.dtype, 16), shape_text(array.shape)));
  }
  const DType dtype = known->second;
  const size_t count = array.data.size() / row_bytes(dtype, 1);
  const Tensor stored(backend, dtype, 1, count);
  const Tensor plain(backend, DType::f32, 1, count);
  backend.upload(stored.view().data, array.data.data(), array.data.size());
  backend.convert(stored.view(), plain.view());
  std::vector<float> values(count);
  backend.download(values.data(), plain.view().data, count * sizeof(float));
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    fail_gate(file.file.path(), name, "finite numbers", "others");
  return values;
}

}  // namespace kvzip
