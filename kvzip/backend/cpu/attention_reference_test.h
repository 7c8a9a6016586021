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

inline std::vector<double> decode(const std::vector<std::byte>& from, DType dtype) {
  const size_t size = dtype == DType::f32 ? 4 : 2;
  std::vector<double> values;
  for (size_t at = 0; at < from.size(); at += size) {
    uint32_t bits = 0;
    std::memcpy(&bits, from.data() + at, size);
    const double sign = (bits & 0x8000) != 0 ? -1 : 1;
    const int exponent = static_cast<int>(bits >> 10 & 0x1F);
    if (dtype == DType::f32) {
      values.push_back(std::bit_cast<float>(bits));
    } else if (dtype == DType::bf16) {
      values.push_back(std::bit_cast<float>(bits << 16));
    } else if (exponent == 0) {
      values.push_back(sign * std::ldexp(bits & 0x3FF, -24));
    } else {
      values.push_back(sign * std::ldexp(1024 + (bits & 0x3FF), exponent - 25));
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

inline std::vector<std::byte> random_rows(std::mt19937& random, DType dtype, size_t count) {
  std::vector<std::byte> bytes;
  for (const float value : random_values(random, count)) append_value(bytes, dtype, value);
  return bytes;
}

inline SegmentData random_segment(std::mt19937& random, const Problem& problem, DType dtype, bool positional,
                                  size_t first_position, const std::vector<size_t>& lens) {
  SegmentData segment{dtype, positional, first_position, {}};
  for (const size_t len : lens) {
    segment.heads.push_back(
        {random_rows(random, dtype, len * problem.head_dim), random_rows(random, dtype, len * problem.head_dim), len});
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
      rows.k.push_back(decode(segment.heads[kv_head].k, segment.dtype));
      rows.v.push_back(decode(segment.heads[kv_head].v, segment.dtype));
    }
    for (size_t token = 0; token < problem.tokens; ++token) {
      for (size_t h = 0; h < problem.group; ++h) answer_row(problem, rows, token, kv_head * problem.group + h, answer);
    }
  }
  return answer;
}

}  // namespace kvzip::attention_test
