// Attention and scoring on every backend against attention in double.
#include <algorithm>
#include <limits>

#include "kvzip/backend/cpu/attention_reference_test.h"
#include "kvzip/base/error.h"
#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

using attention_test::Answer;
using attention_test::HeadData;
using attention_test::Problem;
using attention_test::SegmentData;

struct Result {
  TestMatrix out;
  std::vector<float> log_score;
};

/// All heads of a segment as a Tail has them: keys one head after the other, then values, with room for more rows.
struct DeviceSegment {
  DeviceSegment(Backend& backend, const SegmentData& data, size_t head_dim) : dtype(data.dtype) {
    size_t capacity = 0;
    for (const HeadData& head : data.heads) capacity = std::max(capacity, head.len + 3);
    const size_t stride = capacity * padded_row_bytes(dtype, head_dim);
    std::vector<std::byte> bytes(2 * data.heads.size() * stride, std::byte{0x7F});  // unused rows: huge or NaN
    for (size_t h = 0; h < data.heads.size(); ++h) {
      std::copy(data.heads[h].k.begin(), data.heads[h].k.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>(h * stride));
      std::copy(data.heads[h].v.begin(), data.heads[h].v.end(),
                bytes.begin() + static_cast<std::ptrdiff_t>((data.heads.size() + h) * stride));
    }
    memory = std::make_unique<DeviceBytes>(backend, bytes);
    auto* const start = static_cast<std::byte*>(memory->data());
    for (size_t h = 0; h < data.heads.size(); ++h) {
      heads.push_back({start + h * stride, start + (data.heads.size() + h) * stride, data.heads[h].len});
    }
    segment = {.heads = heads, .dtype = dtype, .positional = data.positional, .first_position = data.first_position};
  }

  DType dtype;
  std::unique_ptr<DeviceBytes> memory;
  std::vector<KvRows> heads;
  Segment segment;
};

std::string describe(const Problem& p) {
  std::string text = std::to_string(p.tokens) + " tokens, " + std::to_string(p.kv_heads) + " x " +
                     std::to_string(p.group) + " heads of " + std::to_string(p.head_dim) + ", window " +
                     std::to_string(p.window);
  for (const SegmentData& segment : p.segments) {
    text += "; " + std::string(dtype_name(segment.dtype)) + (segment.positional ? " positional" : "");
    for (const HeadData& head : segment.heads) text += " " + std::to_string(head.len);
  }
  return text;
}

/// The rows of both, head by head.
SegmentData joined(const SegmentData& first, const SegmentData& second) {
  SegmentData all = first;
  for (size_t h = 0; h < all.heads.size(); ++h) {
    HeadData& head = all.heads[h];
    head.k.insert(head.k.end(), second.heads[h].k.begin(), second.heads[h].k.end());
    head.v.insert(head.v.end(), second.heads[h].v.begin(), second.heads[h].v.end());
    head.len += second.heads[h].len;
  }
  return all;
}

class AttentionConformance : public BackendTest {
 protected:
  /// Rounds the queries to what the device sees, so that the reference starts from the same.
  void round_queries(Problem& problem) const {
    for (float& value : problem.q) value = rounded(value, activations());
  }

  /// `continued`: the second segment's rows lie behind the first's, as in the continuation of a tail.
  Result run(const Problem& problem, bool continued = false) {
    const size_t cols = problem.heads() * problem.head_dim;
    TestMatrix queries(problem.tokens, cols, problem.stride - cols, random_);
    queries.values = problem.q;
    const DeviceMatrix q(*backend_, activations(), queries);
    DeviceMatrix out(*backend_, activations(), problem.tokens, cols, problem.stride - cols, random_);
    std::vector<std::unique_ptr<DeviceSegment>> on_device;
    std::vector<Segment> segments;
    std::vector<KvRows> before;
    std::vector<KvRows> behind;
    if (continued) {
      const SegmentData all = joined(problem.segments[0], problem.segments[1]);
      on_device.push_back(std::make_unique<DeviceSegment>(*backend_, all, problem.head_dim));
      const size_t len = problem.segments[0].heads[0].len;
      const size_t bytes = len * padded_row_bytes(all.dtype, problem.head_dim);
      for (const KvRows& head : on_device[0]->heads) {
        before.push_back({head.k, head.v, len});
        behind.push_back(
            {static_cast<std::byte*>(head.k) + bytes, static_cast<std::byte*>(head.v) + bytes, head.len - len});
      }
      segments = {on_device[0]->segment, on_device[0]->segment};
      segments[0].heads = before;
      segments[1].heads = behind;
      segments[1].first_position = problem.segments[1].first_position;
    } else {
      for (const SegmentData& data : problem.segments) {
        on_device.push_back(std::make_unique<DeviceSegment>(*backend_, data, problem.head_dim));
        segments.push_back(on_device.back()->segment);
      }
    }
    std::vector<float> lowest(problem.kv_heads * problem.chunk_len, -std::numeric_limits<float>::infinity());
    const DeviceBytes scores(*backend_, lowest);
    const ScoreRequest score{
        problem.system_len,
        problem.chunk_begin,
        problem.chunk_len,
        {scores.data(), DType::f32, problem.kv_heads, problem.chunk_len, problem.chunk_len * sizeof(float)}};
    backend_->attend({.q = q.view(),
                      .first_position = problem.first_position,
                      .kv_heads = problem.kv_heads,
                      .head_dim = problem.head_dim,
                      .scale = problem.scale,
                      .window = problem.window,
                      .segments = segments,
                      .out = out.view(),
                      .score = problem.scored ? &score : nullptr});
    out.read();
    return {out.host, scores.download<float>()};
  }

  /// Exact: f32 rounds sums of some hundred terms. Fast: bf16 (or f16) queries, probabilities and results of 8 bits;
  /// logits are off by at most 2 * 2^-9 * scale * sum |q k|, some 0.02 here.
  void expect_near(const Problem& problem, bool continued = false) {
    const Answer expected = attention_test::reference(problem);
    const Result found = run(problem, continued);
    const size_t cols = problem.heads() * problem.head_dim;
    double worst = 0;
    for (size_t i = 0; i < problem.tokens * cols; ++i) {
      const float value = found.out.at(i / cols, i % cols);
      ASSERT_TRUE(std::isfinite(value)) << i;
      worst = std::max(worst, std::abs(value - expected.out[i]));
    }
    EXPECT_LE(worst, is_exact() ? 1e-5 : 0.03);
    worst = 0;
    for (size_t i = 0; problem.scored && i < expected.log_score.size(); ++i) {
      if (std::isinf(expected.log_score[i])) {
        ASSERT_EQ(found.log_score[i], expected.log_score[i]) << i;
      } else {
        ASSERT_TRUE(std::isfinite(found.log_score[i])) << i;
        worst = std::max(worst, std::abs(found.log_score[i] - expected.log_score[i]));
      }
    }
    EXPECT_LE(worst, is_exact() ? 1e-5 : 0.03);
  }

  /// Problems of one token that share their first segment.
  void expect_near_together(const std::vector<Problem>& problems) {
    const size_t cols = problems[0].heads() * problems[0].head_dim;
    TestMatrix queries(problems.size(), cols, 0, random_);
    for (size_t i = 0; i < problems.size(); ++i) {
      std::copy_n(problems[i].q.begin(), cols, &queries.at(i, 0));
    }
    const DeviceMatrix q(*backend_, activations(), queries);
    DeviceMatrix out(*backend_, activations(), problems.size(), cols, 0, random_);
    const DeviceSegment context(*backend_, problems[0].segments[0], problems[0].head_dim);
    std::vector<std::unique_ptr<DeviceSegment>> tails;
    std::vector<std::vector<Segment>> segments;
    std::vector<AttendArgs> calls;
    for (const Problem& p : problems) {
      tails.push_back(std::make_unique<DeviceSegment>(*backend_, p.segments[1], p.head_dim));
      segments.push_back({context.segment, tails.back()->segment});
    }
    for (size_t i = 0; i < problems.size(); ++i) {
      calls.push_back({.q = rows_of(q.view(), i, 1),
                       .first_position = problems[i].first_position,
                       .kv_heads = problems[i].kv_heads,
                       .head_dim = problems[i].head_dim,
                       .scale = problems[i].scale,
                       .window = 0,
                       .segments = segments[i],
                       .out = rows_of(out.view(), i, 1)});
    }
    backend_->attend_together(calls);
    out.read();
    for (size_t i = 0; i < problems.size(); ++i) {
      const Answer expected = attention_test::reference(problems[i]);
      for (size_t col = 0; col < cols; ++col) {
        ASSERT_NEAR(out.host.at(i, col), expected.out[col], is_exact() ? 1e-5 : 0.03)
            << describe(problems[i]) << "; question " << i << " at " << col;
      }
    }
  }

  Problem problem(size_t tokens, size_t kv_heads, size_t group, size_t head_dim, size_t padding = 0) {
    Problem result;
    result.tokens = tokens;
    result.kv_heads = kv_heads;
    result.group = group;
    result.head_dim = head_dim;
    attention_test::randomise_queries(generator_, result, padding);
    round_queries(result);
    return result;
  }
  void add(Problem& to, DType dtype, bool positional, size_t first, const std::vector<size_t>& lens) {
    to.segments.push_back(attention_test::random_segment(generator_, to, dtype, positional, first, lens));
  }
  size_t pick(size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(generator_); }

  std::mt19937 generator_{91};
};

// What prefill asks: a batch at the end of its tail, whole or after earlier batches.
TEST_P(AttentionConformance, CausalBatches) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    for (const size_t head_dim : {64, 80, 96, 128, 256}) {
      for (const size_t earlier : {size_t{0}, pick(1, 300)}) {
        Problem p = problem(pick(64, 200), pick(1, 3), pick(1, 5), head_dim);
        p.first_position = earlier;
        add(p, dtype, true, 0, std::vector<size_t>(p.kv_heads, earlier + p.tokens));
        for (const size_t window : {size_t{0}, size_t{50}}) {
          p.window = window;
          SCOPED_TRACE(describe(p));
          expect_near(p);
        }
      }
    }
  }
}

// What scoring and questions ask: everything in one stretch, causal in the other.
TEST_P(AttentionConformance, PastAndTail) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    for (const size_t tokens : {size_t{1}, size_t{9}, pick(64, 130)}) {
      for (const bool ragged : {false, true}) {
        Problem p = problem(tokens, pick(1, 4), pick(1, 7), tokens == 9 ? 64 : 128, 8 * pick(0, 2));
        p.first_position = 400;
        std::vector<size_t> lens(p.kv_heads, pick(1, 400));
        for (size_t& len : lens) len = ragged ? pick(0, 400) : len;
        add(p, dtype, !ragged, 0, lens);
        add(p, dtype, true, 395, std::vector<size_t>(p.kv_heads, 5 + tokens));
        SCOPED_TRACE(describe(p));
        expect_near(p);
      }
    }
  }
}

// What streaming asks: a batch over rows kept of earlier chunks, as many of each head as were worth it, and a tail.
TEST_P(AttentionConformance, ManyQueriesOverRaggedRows) {
  for (const DType dtype : {DType::bf16, DType::f16}) {
    for (const size_t group : {1, 4, 5, 7}) {
      for (const size_t head_dim : {64, 128, 256}) {
        Problem p = problem(pick(64, 200), pick(1, 8), group, head_dim, 8 * pick(0, 1));
        p.first_position = 1000;
        std::vector<size_t> lens(p.kv_heads);
        for (size_t& len : lens) len = pick(0, 2) == 0 ? 0 : pick(1, 500);
        add(p, dtype, false, 0, lens);
        const size_t system = pick(0, 9);
        add(p, dtype, true, 1000 - system, std::vector<size_t>(p.kv_heads, system + p.tokens));
        SCOPED_TRACE(describe(p));
        expect_near(p);
        p.segments.pop_back();  // a head without rows is then a query that sees nothing
        expect_near(p);
      }
    }
  }
}

TEST_P(AttentionConformance, WindowsOverAContextAndATail) {
  for (const size_t tokens : {1, 5, 70}) {
    Problem p = problem(tokens, 2, 2, 64);
    p.first_position = 300;
    p.window = 100;
    add(p, DType::f16, true, 201, {99, 99});
    add(p, DType::f16, true, 300, {tokens, tokens});
    SCOPED_TRACE(describe(p));
    expect_near(p);
  }
}

TEST_P(AttentionConformance, QuantisedContextsBeforeATail) {
  for (const DType dtype : {DType::q8_0, DType::q4_0}) {
    for (const size_t head_dim : {16, 40, 64, 80, 128, 256}) {
      for (const size_t tokens : {1, 9, 70}) {
        Problem p = problem(tokens, 2, pick(1, 7), head_dim);
        p.first_position = 400;
        const bool sliding = pick(0, 2) == 0;  // in reading order, under a window
        p.window = sliding ? 200 : 0;
        add(p, dtype, sliding, 0, {pick(0, 400), 400});
        add(p, DType::f16, true, 400, {tokens, tokens});
        SCOPED_TRACE(describe(p));
        expect_near(p);
      }
    }
  }
}

TEST_P(AttentionConformance, OddShapesAndOtherHeads) {
  for (int i = 0; i < 40; ++i) {
    constexpr size_t kHeadDims[] = {7, 16, 32, 40, 64, 72, 80, 96, 128, 256};
    Problem p = problem(pick(1, 40), pick(1, 5), pick(1, 9), kHeadDims[pick(0, 9)], pick(0, 3));
    p.first_position = pick(0, 200);
    p.window = i % 3 == 0 ? pick(1, 100) : 0;
    for (size_t s = pick(1, 3); s > 0; --s) {
      std::vector<size_t> lens(p.kv_heads);
      for (size_t& len : lens) len = pick(0, 5) == 0 ? 0 : pick(0, 250);
      const DType dtype = std::initializer_list<DType>{DType::f32, DType::f16, DType::bf16}.begin()[pick(0, 2)];
      add(p, dtype, pick(0, 1) == 0, pick(0, 200), lens);
    }
    SCOPED_TRACE(describe(p));
    expect_near(p);
  }
}

TEST_P(AttentionConformance, QueryThatSeesNothingGetsZeros) {
  Problem p = problem(70, 2, 2, 64);
  add(p, DType::f16, true, 1, {30, 0});
  const Result found = run(p);
  for (size_t c = 0; c < 128; ++c) ASSERT_EQ(found.out.at(0, c), 0.0F);
  expect_near(p);
}

TEST_P(AttentionConformance, ScoresOfARepetition) {
  for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
    for (const size_t head_dim : {64, 128}) {
      for (const size_t tokens : {size_t{3}, size_t{70}, pick(100, 250)}) {
        Problem p = problem(tokens, pick(1, 3), pick(1, 5), head_dim);
        const size_t document = pick(300, 600);
        const size_t done = pick(0, 1) * 40;  // of the repetition, before this batch
        p.first_position = document + done;
        add(p, dtype, true, 0, std::vector<size_t>(p.kv_heads, document));
        add(p, dtype, true, document, std::vector<size_t>(p.kv_heads, done + tokens));
        p.scored = true;
        p.system_len = pick(0, 40);
        p.chunk_begin = p.system_len + pick(0, 100);
        p.chunk_len = pick(1, document - p.chunk_begin);
        SCOPED_TRACE(describe(p) + ", chunk " + std::to_string(p.chunk_begin) + " + " + std::to_string(p.chunk_len));
        expect_near(p);
        expect_near(p, true);
        // Local scoring: the queries see nothing but what is scored.
        p.chunk_begin = p.system_len;
        p.chunk_len = document - p.system_len;
        expect_near(p);
        expect_near(p, true);
      }
    }
  }
}

// Questions that are answered together: each with a tail of its own behind the context that all of them share.
TEST_P(AttentionConformance, QuestionsOverOneContext) {
  constexpr size_t kDocument = 400;
  for (const DType dtype : {DType::bf16, DType::f16, DType::q8_0, DType::f32}) {
    for (const size_t questions : {2, 5, 19}) {
      const size_t kv_heads = questions == 5 ? 3 : 8;
      const size_t group = pick(1, 5);
      const size_t head_dim = questions == 19 ? 128 : 64;
      std::vector<Problem> problems;
      for (size_t i = 0; i < questions; ++i) {
        Problem p = problem(1, kv_heads, group, head_dim);
        if (i > 0) {
          p.segments = {problems[0].segments[0]};
        } else {
          std::vector<size_t> lens(kv_heads);
          for (size_t& len : lens) len = pick(0, kDocument);
          add(p, dtype, false, 0, lens);
        }
        const size_t said = pick(1, 70);
        p.first_position = kDocument + said - 1;
        add(p, is_exact() ? DType::f32 : DType::bf16, true, kDocument, std::vector<size_t>(kv_heads, said));
        problems.push_back(std::move(p));
      }
      expect_near_together(problems);
    }
  }
}

TEST_P(AttentionConformance, RejectsWhatItCannotRead) {
  Problem p = problem(2, 1, 1, 64);
  add(p, DType::f32, false, 0, {3});
  p.segments[0].dtype = DType::q6_k;
  p.segments[0].heads[0].k.clear();
  p.segments[0].heads[0].v.clear();
  p.head_dim = 256;
  p.stride = 256;
  p.q.assign(512, 0.0F);
  try {
    run(p);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("q6_k"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, AttentionConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
