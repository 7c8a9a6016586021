// For the tests of attention: random problems and what attend_cpu() must answer, computed plainly in f64.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kvzip/backend/backend.h"

namespace kvzip::attention_test {

struct HeadData {
  std::vector<std::byte> k;
  std::vector<std::byte> v;
  size_t len = 0;
};

struct SegmentData {
  DType dtype = DType::f16;
  bool positional = true;
  size_t first_position = 0;
  std::vector<HeadData> heads;
};

struct Problem {
  size_t tokens = 1;
  size_t kv_heads = 1;
  size_t group = 1;
  size_t head_dim = 64;
  size_t first_position = 0;
  size_t window = 0;
  float scale = 0.125F;
  size_t stride = 0;  ///< values between rows of q and of out
  std::vector<float> q;
  std::vector<SegmentData> segments;
  bool scored = false;
  size_t system_len = 0;
  size_t chunk_begin = 0;
  size_t chunk_len = 0;

  size_t heads() const { return kv_heads * group; }
};

struct Answer {
  std::vector<double> out;        ///< `[tokens, heads * head_dim]`
  std::vector<double> log_score;  ///< `[kv_heads, chunk_len]`
};

/// Cuts a normal f32 down to the nearest smaller f16 or bf16, which is then the value that everyone starts from.
inline void append_value(std::vector<std::byte>& to, DType dtype, float value) {
  const auto bits = std::bit_cast<uint32_t>(value);
  uint32_t stored = bits;
  size_t size = 4;
  if (dtype != DType::f32) size = 2;
  if (dtype == DType::bf16) stored = bits >> 16;
  if (dtype == DType::f16) {
    const int exponent = static_cast<int>(bits >> 23 & 0xFF) - 127 + 15;
    stored = bits >> 16 & 0x8000;
    if (exponent > 0) stored |= static_cast<uint32_t>(exponent) << 10 | (bits >> 13 & 0x3FF);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(&stored);
  to.insert(to.end(), bytes, bytes + size);
}

/// The value at `from`, of a type without blocks.
inline double decode_value(const std::byte* from, DType dtype) {
  uint32_t bits = 0;
  std::memcpy(&bits, from, dtype == DType::f32 ? 4 : 2);
  if (dtype == DType::f32) return std::bit_cast<float>(bits);
  if (dtype == DType::bf16) return std::bit_cast<float>(bits << 16);
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  const int exponent = static_cast<int>(bits >> 10 & 0x1F);
  return exponent == 0 ? sign * std::ldexp(bits & 0x3FF, -24) : sign * std::ldexp(1024 + (bits & 0x3FF), exponent - 25);
}

/// Appends a block of 32 `values` in q8_0 or q4_0.
inline void append_block(std::vector<std::byte>& to, DType dtype, const std::vector<float>& values) {
  float largest = 0;
  for (const float value : values) largest = std::max(largest, std::abs(value));
  const bool bytes = dtype == DType::q8_0;
  const size_t scale_at = to.size();
  append_value(to, DType::f16, largest / (bytes ? 127 : 7));
  const double scale = decode_value(to.data() + scale_at, DType::f16);
  std::vector<int> quants;
  for (const float value : values) {
    const int quant = scale == 0 ? 0 : static_cast<int>(std::lround(value / scale));
    quants.push_back(std::clamp(quant, bytes ? -127 : -8, bytes ? 127 : 7));
  }
  if (bytes) {
    for (const int quant : quants) to.push_back(static_cast<std::byte>(quant));
  } else {
    for (size_t i = 0; i < 16; ++i) to.push_back(static_cast<std::byte>((quants[i] + 8) | (quants[i + 16] + 8) << 4));
  }
}

/// Value `i` of the block at `from`.
inline double decode_block_value(const std::byte* from, DType dtype, size_t i) {
  const double scale = decode_value(from, DType::f16);
  if (dtype == DType::q8_0) return scale * static_cast<int8_t>(from[2 + i]);
  return scale * (static_cast<int>(from[2 + i % 16] >> (i < 16 ? 0 : 4) & std::byte{15}) - 8);
}

inline std::vector<double> decode(const std::vector<std::byte>& from, DType dtype, size_t head_dim) {
  const size_t row = padded_row_bytes(dtype, head_dim);
  const DTypeInfo& info = dtype_info(dtype);
  std::vector<double> values;
  for (size_t at = 0; at < from.size(); at += row) {
    for (size_t d = 0; d < head_dim; ++d) {
      const std::byte* block = from.data() + at + d / info.block_values * info.block_bytes;
      values.push_back(is_quantised(dtype) ? decode_block_value(block, dtype, d % info.block_values)
                                           : decode_value(block, dtype));
    }
  }
  return values;
}

inline std::vector<float> random_values(std::mt19937& random, size_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

inline std::vector<std::byte> random_rows(std::mt19937& random, DType dtype, size_t count, size_t head_dim) {
  std::vector<std::byte> bytes;
  for (size_t row = 0; row < count; ++row) {
    std::vector<float> values = random_values(random, head_dim);
    if (!is_quantised(dtype)) {
      for (const float value : values) append_value(bytes, dtype, value);
      continue;
    }
    values.resize((head_dim + 31) / 32 * 32);  // padding is zero
    for (size_t d = 0; d < values.size(); d += 32) {
      const auto first = values.begin() + static_cast<std::ptrdiff_t>(d);
      append_block(bytes, dtype, {first, first + 32});
    }
  }
  return bytes;
}

inline SegmentData random_segment(std::mt19937& random, const Problem& problem, DType dtype, bool positional,
                                  size_t first_position, const std::vector<size_t>& lens) {
  SegmentData segment{dtype, positional, first_position, {}};
  for (const size_t len : lens) {
    segment.heads.push_back(
        {random_rows(random, dtype, len, problem.head_dim), random_rows(random, dtype, len, problem.head_dim), len});
  }
  return segment;
}

inline void randomise_queries(std::mt19937& random, Problem& problem, size_t padding = 0) {
  problem.stride = problem.heads() * problem.head_dim + padding;
  problem.q = random_values(random, problem.tokens * problem.stride);
  problem.scale = 1 / std::sqrt(static_cast<float>(problem.head_dim));
}

inline bool sees(const Problem& problem, const SegmentData& segment, size_t token, size_t row) {
  if (!segment.positional) return true;
  const auto distance =
      static_cast<int64_t>(problem.first_position + token) - static_cast<int64_t>(segment.first_position + row);
  return distance >= 0 && (problem.window == 0 || distance < static_cast<int64_t>(problem.window));
}

/// True for the keys of the scoring softmax.
inline bool is_scored(const Problem& problem, size_t segment, size_t row) {
  return segment == 1 || row < problem.system_len ||
         (row >= problem.chunk_begin && row < problem.chunk_begin + problem.chunk_len);
}

struct Logit {
  size_t segment;
  size_t row;
  double value;
};

/// One KV head's keys and values, by segment.
struct DecodedHead {
  std::vector<std::vector<double>> k;
  std::vector<std::vector<double>> v;
};

inline std::vector<Logit> visible_logits(const Problem& problem, const DecodedHead& rows, size_t token, size_t head) {
  std::vector<Logit> logits;
  const float* query = problem.q.data() + token * problem.stride + head * problem.head_dim;
  for (size_t s = 0; s < problem.segments.size(); ++s) {
    for (size_t row = 0; row < problem.segments[s].heads[head / problem.group].len; ++row) {
      if (!sees(problem, problem.segments[s], token, row)) continue;
      const double* key = rows.k[s].data() + row * problem.head_dim;
      const double dot = std::inner_product(query, query + problem.head_dim, key, 0.0);
      logits.push_back({s, row, static_cast<double>(problem.scale) * dot});
    }
  }
  return logits;
}

/// Attention of one query head of one token; raises the head's scores.
inline void answer_row(const Problem& problem, const DecodedHead& rows, size_t token, size_t head, Answer& answer) {
  const std::vector<Logit> logits = visible_logits(problem, rows, token, head);
  double highest = -std::numeric_limits<double>::infinity();
  for (const Logit& logit : logits) highest = std::max(highest, logit.value);
  double sum = 0;
  double scored_sum = 0;
  for (const Logit& logit : logits) {
    sum += std::exp(logit.value - highest);
    if (is_scored(problem, logit.segment, logit.row)) scored_sum += std::exp(logit.value - highest);
  }
  double* out = answer.out.data() + (token * problem.heads() + head) * problem.head_dim;
  for (const Logit& logit : logits) {
    const double p = std::exp(logit.value - highest) / sum;
    const double* value = rows.v[logit.segment].data() + logit.row * problem.head_dim;
    for (size_t d = 0; d < problem.head_dim; ++d) out[d] += p * value[d];
    if (!problem.scored || logit.segment != 0 || logit.row < problem.chunk_begin ||
        logit.row >= problem.chunk_begin + problem.chunk_len) {
      continue;
    }
    double& best = answer.log_score[head / problem.group * problem.chunk_len + logit.row - problem.chunk_begin];
    best = std::max(best, logit.value - highest - std::log(scored_sum));
  }
}

inline Answer reference(const Problem& problem) {
  Answer answer;
  answer.out.assign(problem.tokens * problem.heads() * problem.head_dim, 0);
  answer.log_score.assign(problem.kv_heads * problem.chunk_len, -std::numeric_limits<double>::infinity());
  for (size_t kv_head = 0; kv_head < problem.kv_heads; ++kv_head) {
    DecodedHead rows;
    for (const SegmentData& segment : problem.segments) {
      rows.k.push_back(decode(segment.heads[kv_head].k, segment.dtype, problem.head_dim));
      rows.v.push_back(decode(segment.heads[kv_head].v, segment.dtype, problem.head_dim));
    }
    for (size_t token = 0; token < problem.tokens; ++token) {
      for (size_t h = 0; h < problem.group; ++h) answer_row(problem, rows, token, kv_head * problem.group + h, answer);
    }
  }
  return answer;
}

}  // namespace kvzip::attention_test
