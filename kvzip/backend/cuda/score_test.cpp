// Scoring against softmax in f64 on the CPU: types, odd sizes, several batches of one repetition.
#include "kvzip/backend/cuda/score.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "kvzip/backend/cpu/attention_reference_test.h"
#include "kvzip/backend/cuda/device_array_test.h"

namespace kvzip::cuda {
namespace {

using attention_test::Problem;

struct Case {
  DType dtype = DType::bf16;
  DType q = DType::f32;
  size_t kv_heads = 2;
  size_t group = 4;
  size_t head_dim = 128;
  size_t document = 500;
  size_t system = 20;
  size_t chunk_begin = 120;
  size_t chunk = 200;
  size_t before = 0;  ///< rows of the repetition before the queries' own
  size_t tokens = 100;
};

std::vector<KvRows> upload(const attention_test::SegmentData& segment, std::vector<DeviceArray<std::byte>>& memory) {
  std::vector<KvRows> heads;
  for (const attention_test::HeadData& head : segment.heads) {
    memory.emplace_back(head.k);
    heads.push_back({memory.back().data(), nullptr, head.len});
  }
  return heads;
}

Problem make_problem(const Case& c, uint32_t seed) {
  std::mt19937 random(seed);
  Problem problem;
  problem.tokens = c.tokens;
  problem.kv_heads = c.kv_heads;
  problem.group = c.group;
  problem.head_dim = c.head_dim;
  problem.first_position = c.document + c.before;
  problem.scored = true;
  problem.system_len = c.system;
  problem.chunk_begin = c.chunk_begin;
  problem.chunk_len = c.chunk;
  attention_test::randomise_queries(random, problem, seed % 2 * 8);
  problem.scale *= 2;
  std::vector<std::byte> bytes;
  for (const float value : problem.q) attention_test::append_value(bytes, c.q, value);
  const std::vector<double> rounded = attention_test::decode(bytes, c.q, problem.q.size());
  problem.q.assign(rounded.begin(), rounded.end());
  const std::vector<size_t> document(c.kv_heads, c.document);
  const std::vector<size_t> repetition(c.kv_heads, c.before + c.tokens);
  problem.segments.push_back(attention_test::random_segment(random, problem, c.dtype, true, 0, document));
  problem.segments.push_back(attention_test::random_segment(random, problem, c.dtype, true, c.document, repetition));
  return problem;
}

/// The largest difference of a log score from the reference's; `already` is what log_score holds before.
double worst_difference(const Case& c, uint32_t seed, float already = -std::numeric_limits<float>::infinity()) {
  const Problem problem = make_problem(c, seed);
  std::vector<DeviceArray<std::byte>> memory;
  const std::vector<KvRows> document = upload(problem.segments[0], memory);
  const std::vector<KvRows> repetition = upload(problem.segments[1], memory);
  std::vector<std::byte> q_bytes;
  for (const float value : problem.q) attention_test::append_value(q_bytes, c.q, value);
  const DeviceArray<std::byte> q(q_bytes);
  const size_t stride = c.chunk + seed % 5;
  DeviceArray<float> scores(std::vector<float>(c.kv_heads * stride, already));
  DeviceArray<std::byte> workspace(score_workspace_bytes(c.tokens, c.kv_heads, c.group, c.head_dim));
  workspace.fill_bytes(0xFF);

  ScoreArgs args;
  args.q = {q.data(), c.q, c.tokens, problem.heads() * c.head_dim, problem.stride * (c.q == DType::f32 ? 4 : 2)};
  args.first_position = problem.first_position;
  args.kv_heads = c.kv_heads;
  args.group = c.group;
  args.head_dim = c.head_dim;
  args.scale = problem.scale;
  args.dtype = c.dtype;
  args.document = document;
  args.repetition = repetition;
  args.repetition_position = c.document;
  args.request = {c.system, c.chunk_begin, c.chunk, {scores.data(), DType::f32, c.kv_heads, c.chunk, stride * 4}};
  raise_scores(args, workspace.data(), nullptr);
  expect_success(cudaDeviceSynchronize());

  const std::vector<float> found = scores.download();
  const attention_test::Answer expected = attention_test::reference(problem);
  double worst = 0;
  for (size_t head = 0; head < c.kv_heads; ++head) {
    for (size_t column = 0; column < stride; ++column) {
      const float value = found[head * stride + column];
      const double wanted =
          column < c.chunk ? std::max<double>(expected.log_score[head * c.chunk + column], already) : already;
      const double difference = value == wanted ? 0 : std::abs(value - wanted);
      worst = std::isnan(difference) ? std::numeric_limits<double>::infinity() : std::max(worst, difference);
    }
  }
  return worst;
}

// A logit sums head_dim products of a query rounded to 8 (bf16) or 11 bits; logits here are of size 2 to 10.
double tolerance(DType dtype) { return dtype == DType::bf16 ? 0.06 : 0.008; }

TEST(CudaScoreTest, EveryTypeAndShape) {
  const std::pair<size_t, size_t> shapes[] = {{64, 3}, {80, 1}, {96, 5}, {128, 4}, {128, 7}, {128, 16}, {256, 8}};
  uint32_t seed = 1;
  for (const DType dtype : {DType::f16, DType::bf16}) {
    for (const auto& [head_dim, group] : shapes) {
      Case c;
      c.dtype = dtype;
      c.q = seed % 3 == 0 ? DType::f32 : seed % 3 == 1 ? DType::f16 : DType::bf16;
      c.head_dim = head_dim;
      c.group = group;
      c.kv_heads = 1 + seed % 3;
      c.chunk = 100 + seed * 13;
      c.tokens = 60 + seed * 7;
      c.before = seed % 4 * 50;
      EXPECT_LT(worst_difference(c, seed), tolerance(dtype))
          << dtype_name(dtype) << ", q " << dtype_name(c.q) << ", head_dim " << head_dim << ", group " << group;
      ++seed;
    }
  }
}

TEST(CudaScoreTest, SmallestSizes) {
  Case c;
  c.system = 0;
  c.chunk_begin = 0;
  c.chunk = 1;
  c.document = 1;
  c.tokens = 1;
  c.group = 1;
  EXPECT_LT(worst_difference(c, 50), tolerance(c.dtype));
}

TEST(CudaScoreTest, RaisesWhatIsThere) {
  Case c;
  EXPECT_LT(worst_difference(c, 51, -4.5F), tolerance(c.dtype));
  EXPECT_EQ(worst_difference(c, 52, 1.0F), 0);
}

TEST(CudaScoreTest, ManyTokensAndColumns) {
  Case c;
  c.kv_heads = 1;
  c.group = 2;
  c.head_dim = 64;
  c.document = 2500;
  c.chunk_begin = 333;
  c.chunk = 2000;
  c.tokens = 777;
  c.before = 11;
  EXPECT_LT(worst_difference(c, 53), tolerance(c.dtype));
}

}  // namespace
}  // namespace kvzip::cuda
