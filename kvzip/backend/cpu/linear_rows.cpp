#include "kvzip/backend/cpu/linear_rows.h"

#include <algorithm>

#include "kvzip/backend/cpu/block_dots.h"
#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/base/check.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

/// Weights that one thread should have at least, lest waking it costs more than it saves.
constexpr size_t kBytesPerThread = size_t{32} << 10;

size_t round_up_64(size_t bytes) { return (bytes + 63) / 64 * 64; }

/// Weight rows that are multiplied with all tokens before the next are read: they stay in the first-level cache.
constexpr size_t kRowsAtOnce = 16;

/// Stands for ActivationQuads (block_dots.h) beside ggml's own formats.
constexpr auto kQuadFormat = static_cast<ActivationFormat>(-1);

size_t weight_bytes(const LinearPart& part) {
  return part.weight.rows * row_bytes(part.weight.dtype, part.weight.cols);
}

ActivationFormat format_for(DType weight, Precision precision) {
  if (precision == Precision::exact) return ggml_activation_format(DType::f32);
  return block_dot(weight) != nullptr ? kQuadFormat : ggml_activation_format(weight);
}

size_t encoded_bytes(ActivationFormat format, size_t values) {
  if (format == kQuadFormat) return quads_of(values) * sizeof(ActivationQuad);
  return round_up_64(ggml_activation_bytes(format, values));
}

void encode(ActivationFormat format, const float* in, std::byte* out, size_t values) {
  if (format == kQuadFormat) {
    encode_quads()(in, values, reinterpret_cast<ActivationQuad*>(out));
  } else {
    ggml_encode_activations(format, in, out, values);
  }
}

/// Dot products of each of `weight`'s rows with each of `tokens` encoded inputs: sums `[rows, tokens]`, by ggml.
void dot_rows(const ConstView& weight, const std::byte* inputs, size_t input_bytes, size_t tokens, float* sums) {
  const RowDot dot = ggml_row_dot(weight.dtype);
  for (size_t row = 0; row < weight.rows; ++row) {
    const void* const weights = rows_of(weight, row, 1).data;
    for (size_t token = 0; token < tokens; ++token) {
      dot(static_cast<int>(weight.cols), sums++, 0, weights, 0, inputs + token * input_bytes, 0, 1);
    }
  }
}

/// Adds the bias, and what `out` holds where the part accumulates; rows [first, first + rows) of the weight.
void write_sums(const LinearPart& part, size_t first, size_t rows, size_t first_token, size_t tokens,
                const float* sums) {
  for (size_t token = 0; token < tokens; ++token) {
    float* const out = f32_row(part.out, first_token + token) + first;
    for (size_t row = 0; row < rows; ++row) {
      const float bias = part.bias == nullptr ? 0.0F : part.bias[first + row];
      out[row] = (part.accumulate ? out[row] : 0.0F) + sums[row * tokens + token] + bias;
    }
  }
}

}  // namespace

void LinearRows::run(const ConstView& x, std::span<const LinearPart> parts, Precision precision) {
  encode_inputs(x, parts, precision);
  size_t total = 0;
  for (const LinearPart& part : parts) total += weight_bytes(part);
  const size_t threads = std::clamp<size_t>(total / kBytesPerThread, 1, thread_count());
  const size_t decoded_values = round_up_64(x.cols);
  auto* const decoded = precision == Precision::exact
                            ? static_cast<float*>(decoded_.at_least(threads * decoded_values * sizeof(float)))
                            : nullptr;
  // One region for all parts: each thread takes an equal share of all bytes, which may begin and end within a part.
  parallel_run(threads, [&](size_t thread) {
    const size_t share_begin = total * thread / threads;
    const size_t share_end = total * (thread + 1) / threads;
    size_t at = 0;
    for (const LinearPart& part : parts) {
      const size_t row = row_bytes(part.weight.dtype, part.weight.cols);
      const auto row_at = [&](size_t byte) {
        return byte <= at ? 0 : std::min((byte - at + row - 1) / row, part.weight.rows);
      };
      run_range(part, row_at(share_begin), row_at(share_end), precision, decoded + thread * decoded_values);
      at += weight_bytes(part);
    }
  });
}

void LinearRows::encode_inputs(const ConstView& x, std::span<const LinearPart> parts, Precision precision) {
  inputs_.clear();
  size_t total = 0;
  for (const LinearPart& part : parts) {
    const ActivationFormat format = format_for(part.weight.dtype, precision);
    const auto same = [&](const Encoded& input) { return input.format == format; };
    if (std::any_of(inputs_.begin(), inputs_.end(), same)) continue;
    inputs_.push_back({format, nullptr, encoded_bytes(format, x.cols)});
    total += inputs_.back().bytes * x.rows;
  }
  auto* to = static_cast<std::byte*>(encoded_.at_least(total));
  for (Encoded& input : inputs_) {
    input.data = to;
    for (size_t row = 0; row < x.rows; ++row, to += input.bytes) {
      encode(input.format, f32_row(x, row), to, x.cols);
    }
  }
}

const LinearRows::Encoded& LinearRows::input_of(ActivationFormat format) const {
  const auto found =
      std::find_if(inputs_.begin(), inputs_.end(), [&](const Encoded& in) { return in.format == format; });
  check(found != inputs_.end(), "the input is encoded for every part");
  return *found;
}

void LinearRows::run_range(const LinearPart& part, size_t begin, size_t end, Precision precision,
                           float* decoded) const {
  const size_t cols = part.weight.cols;
  const Encoded& input = input_of(format_for(part.weight.dtype, precision));
  const bool decode = precision == Precision::exact && part.weight.dtype != DType::f32;
  const size_t rows_at_once = decode ? 1 : kRowsAtOnce;
  float sums[kRowsAtOnce * kDotTokens];
  for (size_t row = begin; row < end; row += rows_at_once) {
    ConstView weight = rows_of(part.weight, row, std::min(rows_at_once, end - row));
    if (decode) {
      convert_to_f32(weight.dtype, weight.data, decoded, cols);
      weight = {decoded, DType::f32, 1, cols, cols * sizeof(float)};
    }
    for (size_t token = 0; token < part.out.rows; token += kDotTokens) {
      const size_t tokens = std::min(kDotTokens, part.out.rows - token);
      const std::byte* const inputs = input.data + token * input.bytes;
      if (input.format == kQuadFormat) {
        block_dot(weight.dtype)({static_cast<const std::byte*>(weight.data), weight.stride, weight.rows, cols,
                                 reinterpret_cast<const ActivationQuad*>(inputs), tokens, sums});
      } else {
        dot_rows(weight, inputs, input.bytes, tokens, sums);
      }
      write_sums(part, row, weight.rows, token, tokens, sums);
    }
  }
}

}  // namespace kvzip
