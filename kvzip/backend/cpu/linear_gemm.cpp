#include "kvzip/backend/cpu/linear_gemm.h"

#include <algorithm>
#include <cstring>

#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/cpu_info.h"
#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/backend/cpu/panels.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Decoded weights and rounded activations that are held at a time: both stay in the last-level cache, and small
/// besides a model.
constexpr size_t kWeightTileBytes = size_t{8} << 20;
constexpr size_t kActivationBytes = size_t{16} << 20;

size_t value_bytes(bool bf16) { return bf16 ? sizeof(uint16_t) : sizeof(float); }

/// Rows of a tile of weights: whole panels, at least one.
size_t tile_rows(size_t cols, bool bf16) {
  const size_t panels = kWeightTileBytes / (panel_depth(cols, bf16) * sizeof(uint32_t) * kPanelRows);
  return std::max<size_t>(panels, 1) * kPanelRows;
}

/// The first to.cols values of every row, f32.
void copy_rows(const ConstView& from, const View& to) {
  const size_t bytes = std::min(from.cols, to.cols) * sizeof(float);
  for (size_t row = 0; row < to.rows; ++row) std::memcpy(rows_of(to, row, 1).data, rows_of(from, row, 1).data, bytes);
}

}  // namespace

// Panels of bf16 are all that oneDNN's AVX-512 and AMX products ever ask for; should another release ask for something
// else, f32 still works.
LinearGemm::LinearGemm()
    : has_bf16_(cpu_has_bf16_products() && matmul_.prefers_panels(true)),
      panels_of_f32_(matmul_.prefers_panels(false)) {}

void LinearGemm::run(const ConstView& x, std::span<const LinearPart> parts, Precision precision) {
  const bool bf16 = precision == Precision::fast && has_bf16_;
  const size_t most_rows = std::max<size_t>(kActivationBytes / (x.cols * value_bytes(bf16)), kPanelRows);
  std::vector<LinearPart> block(parts.begin(), parts.end());
  for (size_t first = 0; first < x.rows; first += most_rows) {
    const size_t rows = std::min(most_rows, x.rows - first);
    for (size_t i = 0; i < parts.size(); ++i) block[i].out = rows_of(parts[i].out, first, rows);
    run_rows(rows_of(x, first, rows), block, bf16);
  }
}

void LinearGemm::run_rows(const ConstView& x, std::span<const LinearPart> parts, bool bf16) {
  Input input{x.data, x.rows, x.cols, x.stride / sizeof(float), bf16};
  if (bf16) {
    auto* const rounded = static_cast<uint16_t*>(activations_.at_least(x.rows * x.cols * sizeof(uint16_t)));
    parallel_ranges(x.rows, row_grain(x.cols), [&](size_t begin, size_t end) {
      for (size_t row = begin; row < end; ++row) {
        convert_from_f32(f32_row(x, row), DType::bf16, rounded + row * x.cols, x.cols);
      }
    });
    input.data = rounded;
    input.stride = x.cols;
  }
  for (const LinearPart& part : parts) run_part(input, part);
}

void LinearGemm::run_part(const Input& x, const LinearPart& part) {
  const size_t rows_at_once = tile_rows(x.cols, x.bf16);
  for (size_t first = 0; first < part.weight.rows; first += rows_at_once) {
    LinearPart tile = part;
    tile.weight = rows_of(part.weight, first, std::min(rows_at_once, part.weight.rows - first));
    tile.bias = part.bias == nullptr ? nullptr : part.bias + first;
    tile.out.data = static_cast<float*>(part.out.data) + first;
    run_tile(x, tile);
  }
}

void LinearGemm::run_tile(const Input& x, const LinearPart& tile) {
  const ConstView& weight = tile.weight;
  MatmulData data{x.data, weight.data, tile.bias, static_cast<float*>(tile.out.data)};
  size_t weight_stride = weight.stride / sizeof(float);
  if (x.bf16 || (panels_of_f32_ && weight.dtype != DType::f32)) {
    const size_t padded_rows = (weight.rows + kPanelRows - 1) / kPanelRows * kPanelRows;
    auto* const panels =
        static_cast<uint32_t*>(weights_.at_least(padded_rows * panel_depth(weight.cols, x.bf16) * sizeof(uint32_t)));
    parallel_ranges(padded_rows / kPackRows, 1, [&](size_t begin, size_t end) {
      for (size_t group = begin; group < end; ++group) pack_panel_rows(weight, group * kPackRows, x.bf16, panels);
    });
    data.weight = panels;
    weight_stride = 0;
  } else if (weight.dtype != DType::f32) {
    auto* const decoded = static_cast<float*>(weights_.at_least(weight.rows * weight.cols * sizeof(float)));
    parallel_ranges(weight.rows, row_grain(weight.cols), [&](size_t begin, size_t end) {
      for (size_t row = begin; row < end; ++row) {
        convert_to_f32(weight.dtype, rows_of(weight, row, 1).data, decoded + row * weight.cols, weight.cols);
      }
    });
    data.weight = decoded;
    weight_stride = weight.cols;
  }
  // oneDNN leaves its fast products for its reference where the output's rows have gaps, as those of a tile have.
  const bool dense = tile.out.stride == weight.rows * sizeof(float);
  if (!dense) {
    data.out = static_cast<float*>(outputs_.at_least(x.rows * weight.rows * sizeof(float)));
    if (tile.accumulate)
      copy_rows(tile.out, View{data.out, DType::f32, x.rows, weight.rows, weight.rows * sizeof(float)});
  }
  matmul_.run({.rows = x.rows,
               .in = x.cols,
               .out = weight.rows,
               .x_stride = x.stride,
               .weight_stride = weight_stride,
               .bf16 = x.bf16,
               .has_bias = tile.bias != nullptr,
               .accumulate = tile.accumulate},
              data);
  if (!dense) copy_rows(ConstView{data.out, DType::f32, x.rows, weight.rows, weight.rows * sizeof(float)}, tile.out);
}

}  // namespace kvzip
