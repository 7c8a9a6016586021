// attend_cpu() against the plain f64 reference, on random odd shapes, and the properties that a Context relies on.
#include "kvzip/backend/cpu/attention.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <numeric>

#include "kvzip/backend/cpu/attention_reference_test.h"
#include "kvzip/backend/cpu/products.h"
#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"

namespace kvzip::attention_test {
namespace {

/// What attend_cpu() answers; `log_score` is raised where the problem is scored.
struct Result {
  std::vector<float> out;  ///< with the problem's stride
  std::vector<float> log_score;
};

constexpr float kUntouched = 12345.0F;

void run(const Problem& problem, Precision precision, Result& result) {
  std::vector<std::vector<KvRows>> rows(problem.segments.size());
  std::vector<Segment> segments;
  for (size_t s = 0; s < problem.segments.size(); ++s) {
    const SegmentData& data = problem.segments[s];
    for (const HeadData& head : data.heads) {
      rows[s].push_back({const_cast<std::byte*>(head.k.data()), const_cast<std::byte*>(head.v.data()), head.len});
    }
    segments.push_back({rows[s], data.dtype, data.positional, data.first_position});
  }
  const size_t cols = problem.heads() * problem.head_dim;
  const size_t stride = problem.stride * sizeof(float);
  result.out.assign(problem.tokens * problem.stride, kUntouched);
  ScoreRequest score{
      problem.system_len,
      problem.chunk_begin,
      problem.chunk_len,
      {result.log_score.data(), DType::f32, problem.kv_heads, problem.chunk_len, problem.chunk_len * sizeof(float)}};
  AttendArgs args;
  args.q = {problem.q.data(), DType::f32, problem.tokens, cols, stride};
  args.first_position = problem.first_position;
  args.kv_heads = problem.kv_heads;
  args.head_dim = problem.head_dim;
  args.scale = problem.scale;
  args.window = problem.window;
  args.segments = segments;
  args.out = {result.out.data(), DType::f32, problem.tokens, cols, stride};
  if (problem.scored) args.score = &score;
  attend_cpu(args, precision);
}

Result run(const Problem& problem, Precision precision) {
  Result result;
  result.log_score.assign(problem.kv_heads * problem.chunk_len, -std::numeric_limits<float>::infinity());
  run(problem, precision, result);
  return result;
}

/// Values and logits here are below about 5. Exact: f32 rounds the sums of up to 256 products and some hundred
/// probabilities; the worst seen are 2.2e-6 in an output and 1.7e-6 in a score. Fast: bf16 keeps 8 bits. Rounding q and
/// k moves a logit by at most 2 * 2^-9 * scale * sum |q k|, some 0.02 for normal q and k, and probabilities and values
/// by 2^-9 each; the worst seen are 0.016 in an output (of few keys) and 0.014 in a score.
struct Tolerance {
  double out;
  double log_score;
};
Tolerance tolerance(Precision precision) {
  return precision == Precision::exact ? Tolerance{4e-6, 5e-6} : Tolerance{0.03, 0.03};
}

/// Whether the largest difference is within the tolerance, and where it is.
void expect_near(const Problem& problem, const Answer& expected, const Result& result, Tolerance allowed) {
  const size_t cols = problem.heads() * problem.head_dim;
  double worst = 0;
  for (size_t token = 0; token < problem.tokens; ++token) {
    for (size_t c = 0; c < problem.stride; ++c) {
      const float found = result.out[token * problem.stride + c];
      if (c >= cols) {
        ASSERT_EQ(found, kUntouched) << "written beyond row " << token;
        continue;
      }
      ASSERT_TRUE(std::isfinite(found)) << "token " << token << " column " << c;
      worst = std::max(worst, std::abs(found - expected.out[token * cols + c]));
    }
  }
  EXPECT_LE(worst, allowed.out);
  if (!problem.scored) return;
  worst = 0;
  for (size_t i = 0; i < expected.log_score.size(); ++i) {
    if (std::isinf(expected.log_score[i])) {
      ASSERT_EQ(result.log_score[i], expected.log_score[i]) << i;
    } else {
      ASSERT_TRUE(std::isfinite(result.log_score[i])) << i;
      worst = std::max(worst, std::abs(result.log_score[i] - expected.log_score[i]));
    }
  }
  EXPECT_LE(worst, allowed.log_score);
}

size_t pick(std::mt19937& random, size_t low, size_t high) {
  return std::uniform_int_distribution<size_t>(low, high)(random);
}

template <class T>
T pick_of(std::mt19937& random, std::initializer_list<T> choices) {
  return choices.begin()[pick(random, 0, choices.size() - 1)];
}

constexpr std::initializer_list<DType> kRowTypes = {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0};

std::vector<size_t> random_lens(std::mt19937& random, size_t heads, size_t most) {
  std::vector<size_t> lens(heads);
  for (size_t& len : lens) len = pick(random, 0, 5) == 0 ? 0 : pick(random, 0, most);
  return lens;
}

Problem random_problem(std::mt19937& random, size_t tokens) {
  Problem problem;
  problem.tokens = tokens;
  problem.group = pick_of<size_t>(random, {1, 2, 3, 4, 5, 7, 8});
  problem.kv_heads = pick(random, 1, 3);
  problem.head_dim = pick_of<size_t>(random, {16, 32, 64, 80, 96, 128, 256, 40, 7, 72, 160, 208});
  randomise_queries(random, problem, pick(random, 0, 1) * 24);
  const size_t most = tokens > 100 || problem.head_dim > 100 ? 300 : 700;
  problem.first_position = pick(random, 0, most);
  if (pick(random, 0, 2) == 0) problem.window = pick(random, 1, 200);
  const size_t segments = pick(random, 1, 3);
  for (size_t s = 0; s < segments; ++s) {
    const bool positional = pick(random, 0, 2) != 0;
    problem.segments.push_back(random_segment(random, problem, pick_of(random, kRowTypes), positional,
                                              pick(random, 0, 300), random_lens(random, problem.kv_heads, most)));
  }
  return problem;
}

/// A document (unmasked), then the repeat input (causal), as scoring sees them.
Problem scored_problem(std::mt19937& random, size_t tokens, size_t document) {
  Problem problem;
  problem.tokens = tokens;
  problem.group = pick(random, 1, 5);
  problem.kv_heads = pick(random, 1, 3);
  problem.head_dim = pick_of<size_t>(random, {32, 64, 128, 40, 160, 208});
  randomise_queries(random, problem);
  problem.first_position = document;
  problem.scored = true;
  problem.system_len = pick(random, 0, document / 4);
  problem.chunk_begin = pick(random, problem.system_len, document / 2);
  problem.chunk_len = pick(random, 1, document - problem.chunk_begin);
  problem.segments.push_back(random_segment(random, problem, pick_of(random, kRowTypes), false, 0,
                                            std::vector<size_t>(problem.kv_heads, document)));
  problem.segments.push_back(
      random_segment(random, problem, DType::f16, true, document, std::vector<size_t>(problem.kv_heads, tokens)));
  return problem;
}

void expect_both_precisions(const Problem& problem) {
  const Answer expected = reference(problem);
  for (const Precision precision : {Precision::exact, Precision::fast}) {
    SCOPED_TRACE(precision == Precision::exact ? "exact" : "fast");
    expect_near(problem, expected, run(problem, precision), tolerance(precision));
  }
}

std::string describe(const Problem& problem) {
  std::string text = std::to_string(problem.tokens) + " tokens, " + std::to_string(problem.kv_heads) + " x " +
                     std::to_string(problem.group) + " heads of " + std::to_string(problem.head_dim) + ", window " +
                     std::to_string(problem.window);
  for (const SegmentData& segment : problem.segments) {
    text += "; " + std::string(dtype_name(segment.dtype)) + (segment.positional ? " positional" : "");
    for (const HeadData& head : segment.heads) text += " " + std::to_string(head.len);
  }
  return text;
}

class AttentionTest : public testing::Test {
 protected:
  ~AttentionTest() override { set_thread_count(0); }
};

TEST_F(AttentionTest, FewTokensMatchReference) {
  std::mt19937 random(1);
  for (int i = 0; i < 120; ++i) {
    set_thread_count(pick(random, 1, 3));
    const Problem problem = random_problem(random, pick(random, 1, 8));
    SCOPED_TRACE(describe(problem));
    expect_both_precisions(problem);
  }
}

TEST_F(AttentionTest, SomeTokensMatchReference) {
  std::mt19937 random(2);
  for (int i = 0; i < 60; ++i) {
    set_thread_count(pick(random, 1, 3));
    const Problem problem = random_problem(random, pick(random, 9, 70));
    SCOPED_TRACE(describe(problem));
    expect_both_precisions(problem);
  }
}

TEST_F(AttentionTest, ManyTokensMatchReference) {
  std::mt19937 random(3);
  for (int i = 0; i < 12; ++i) {
    set_thread_count(pick(random, 1, 3));
    const Problem problem = random_problem(random, pick(random, 200, 330));
    SCOPED_TRACE(describe(problem));
    expect_both_precisions(problem);
  }
}

TEST_F(AttentionTest, CausalPrefillOfWholeBatchMatchesReference) {
  std::mt19937 random(4);
  for (const size_t head_dim : {64, 256}) {
    Problem problem;
    problem.tokens = 520;
    problem.group = 3;
    problem.head_dim = head_dim;
    randomise_queries(random, problem);
    problem.segments.push_back(random_segment(random, problem, DType::f16, true, 0, {problem.tokens}));
    for (const size_t window : {0, 100}) {
      problem.window = window;
      SCOPED_TRACE(describe(problem));
      expect_both_precisions(problem);
    }
  }
}

TEST_F(AttentionTest, ScoresMatchReference) {
  std::mt19937 random(5);
  for (int i = 0; i < 40; ++i) {
    set_thread_count(pick(random, 1, 3));
    const Problem problem = scored_problem(random, i < 8 ? 1 + i % 3 : pick(random, 4, 150), pick(random, 4, 700));
    SCOPED_TRACE(describe(problem) + ", chunk " + std::to_string(problem.chunk_begin) + " + " +
                 std::to_string(problem.chunk_len) + ", system " + std::to_string(problem.system_len));
    expect_both_precisions(problem);
  }
}

TEST_F(AttentionTest, ScoresAreMaximaOverCalls) {
  std::mt19937 random(6);
  const Problem whole = scored_problem(random, 90, 300);
  const Answer expected = reference(whole);
  for (const Precision precision : {Precision::exact, Precision::fast}) {
    Result result;
    result.log_score.assign(whole.kv_heads * whole.chunk_len, -std::numeric_limits<float>::infinity());
    for (const auto& [first, count] : {std::pair<size_t, size_t>{0, 37}, {37, 1}, {38, 52}}) {
      Problem part = whole;
      part.tokens = count;
      part.first_position += first;
      part.q.erase(part.q.begin(), part.q.begin() + static_cast<std::ptrdiff_t>(first * part.stride));
      run(part, precision, result);
    }
    for (size_t i = 0; i < expected.log_score.size(); ++i) {
      ASSERT_NEAR(result.log_score[i], expected.log_score[i], tolerance(precision).log_score);
    }
  }
}

TEST_F(AttentionTest, ScoresOfRowsThatNobodySeesStay) {
  std::mt19937 random(7);
  Problem problem = scored_problem(random, 20, 200);
  // The document is positional and ends after the queries: some of its rows, and all of the chunk's last, are unseen.
  problem.segments[0].positional = true;
  problem.first_position = 150;
  problem.segments[1].first_position = 150;
  problem.chunk_begin = std::max<size_t>(problem.system_len, 60);
  problem.chunk_len = 140 - (problem.chunk_begin - 60);
  expect_both_precisions(problem);
}

TEST_F(AttentionTest, QueryThatSeesNothingGetsZeros) {
  std::mt19937 random(8);
  for (const size_t tokens : {2, 40}) {
    Problem problem;
    problem.tokens = tokens;
    problem.kv_heads = 2;
    randomise_queries(random, problem);
    problem.segments.push_back(random_segment(random, problem, DType::f16, true, 1, {30, 0}));
    const Result result = run(problem, Precision::fast);
    const size_t dim = problem.head_dim;
    // Token 0 stands before all rows; head 1 has none.
    for (size_t c = 0; c < 2 * dim; ++c) ASSERT_EQ(result.out[c], 0.0F);
    for (size_t c = 0; c < dim; ++c) ASSERT_EQ(result.out[problem.stride + dim + c], 0.0F);
    ASSERT_NE(result.out[problem.stride], 0.0F);
    expect_both_precisions(problem);
  }
  Problem nothing;
  randomise_queries(random, nothing);
  expect_both_precisions(nothing);
}

TEST_F(AttentionTest, OrderOfUnmaskedRowsDoesNotMatter) {
  std::mt19937 random(9);
  for (const size_t tokens : {1, 33}) {
    Problem problem;
    problem.tokens = tokens;
    problem.kv_heads = 2;
    problem.group = 3;
    problem.first_position = 900;
    randomise_queries(random, problem);
    problem.segments.push_back(random_segment(random, problem, DType::f16, false, 0, {501, 77}));
    problem.segments.push_back(random_segment(random, problem, DType::f32, true, 900, {tokens, tokens}));
    Problem permuted = problem;
    for (size_t head = 0; head < 2; ++head) {
      const HeadData& from = problem.segments[0].heads[head];
      HeadData& to = permuted.segments[0].heads[head];
      std::vector<size_t> order(from.len);
      std::iota(order.begin(), order.end(), size_t{0});
      std::shuffle(order.begin(), order.end(), random);
      const size_t bytes = problem.head_dim * 2;
      for (size_t row = 0; row < from.len; ++row) {
        std::copy_n(from.k.data() + order[row] * bytes, bytes, to.k.data() + row * bytes);
        std::copy_n(from.v.data() + order[row] * bytes, bytes, to.v.data() + row * bytes);
      }
    }
    const Result first = run(problem, Precision::exact);
    const Result second = run(permuted, Precision::exact);
    for (size_t i = 0; i < first.out.size(); ++i) ASSERT_NEAR(first.out[i], second.out[i], 3e-6);
  }
}

/// What answering is: a quantised context of uneven heads before an f16 tail. Also with the context in reading order
/// under a window, as sliding layers have it.
TEST_F(AttentionTest, QuantisedContextsBeforeATailMatchReference) {
  std::mt19937 random(16);
  for (const DType dtype : {DType::q8_0, DType::q4_0}) {
    for (const size_t head_dim : {16, 32, 64, 80, 96, 128, 160, 208, 256, 40, 7}) {
      for (const size_t tokens : {1, 3, 37}) {
        set_thread_count(tokens == 3 ? 3 : 1);
        Problem problem;
        problem.tokens = tokens;
        problem.kv_heads = 2;
        problem.group = pick(random, 1, 7);
        problem.head_dim = head_dim;
        randomise_queries(random, problem);
        const bool window = pick(random, 0, 1) == 1;
        problem.first_position = 611;
        problem.window = window ? 300 : 0;
        problem.segments.push_back(
            random_segment(random, problem, dtype, window, 0, {pick(random, 0, 611), pick(random, 500, 611)}));
        problem.segments.push_back(random_segment(random, problem, DType::f16, true, 611, {tokens, tokens}));
        SCOPED_TRACE(describe(problem));
        expect_both_precisions(problem);
      }
    }
  }
}

TEST_F(AttentionTest, SplittingASegmentChangesNothing) {
  std::mt19937 random(10);
  for (const size_t tokens : {1, 6, 90}) {
    Problem problem;
    problem.tokens = tokens;
    problem.group = 4;
    problem.head_dim = 96;
    problem.first_position = 300;
    problem.window = 250;
    randomise_queries(random, problem);
    problem.segments.push_back(random_segment(random, problem, DType::bf16, true, 0, {300 + tokens}));
    Problem split = problem;
    const auto cut = static_cast<std::ptrdiff_t>(123 * problem.head_dim * 2);
    HeadData& head = split.segments[0].heads[0];
    SegmentData rest{DType::bf16,
                     true,
                     123,
                     {{{head.k.begin() + cut, head.k.end()}, {head.v.begin() + cut, head.v.end()}, head.len - 123}}};
    head.len = 123;
    split.segments.push_back(rest);
    const Result first = run(problem, Precision::exact);
    const Result second = run(split, Precision::exact);
    for (size_t i = 0; i < first.out.size(); ++i) ASSERT_NEAR(first.out[i], second.out[i], 3e-6);
  }
}

std::vector<std::byte> constant_rows(DType dtype, size_t count, float value) {
  std::vector<std::byte> bytes;
  for (size_t i = 0; i < count; ++i) append_value(bytes, dtype, value);
  return bytes;
}

/// The weight of the newest rows would grow if every block took a little from those before it. 1e-4 of it would show.
TEST_F(AttentionTest, RoundingDoesNotAddUpOverALongContext) {
  set_thread_count(1);
  std::mt19937 random(11);
  Problem problem;
  problem.tokens = 10;
  problem.head_dim = 32;
  problem.group = 2;
  randomise_queries(random, problem);
  for (const auto& [len, value] : {std::pair<size_t, float>{60011, 0.0F}, {15013, 1.0F}}) {
    problem.segments.push_back(random_segment(random, problem, DType::f16, false, 0, {len}));
    problem.segments.back().heads[0].v = constant_rows(DType::f16, len * problem.head_dim, value);
  }
  const Answer expected = reference(problem);
  expect_near(problem, expected, run(problem, Precision::exact), {1e-5, 0});
  expect_near(problem, expected, run(problem, Precision::fast), {4e-4, 0});
}

/// Logits in the hundreds, where 2^x alone would overflow and most probabilities are 0.
TEST_F(AttentionTest, SteepLogitsDoNotOverflow) {
  std::mt19937 random(15);
  for (const size_t tokens : {2, 13}) {
    Problem problem;
    problem.tokens = tokens;
    problem.head_dim = 32;
    problem.group = 2;
    randomise_queries(random, problem);
    problem.scale = 60;
    problem.segments.push_back(random_segment(random, problem, DType::f16, false, 0, {1700}));
    // A logit near 1000 has an error of 1e-4 in f32, and so have its probability and the output.
    expect_near(problem, reference(problem), run(problem, Precision::exact), {2e-3, 0});
  }
}

TEST_F(AttentionTest, AllInstructionSetsMatchReference) {
  const auto all = hwy::SupportedTargets();
  for (int64_t left = all; left != 0; left &= left - 1) {
    hwy::SetSupportedTargetsForTest(left & -left);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(hwy::TargetName(left & -left));
    std::mt19937 random(12);
    for (int i = 0; i < 12; ++i) {
      const Problem problem =
          i % 3 == 2 ? scored_problem(random, pick(random, 1, 40), 200) : random_problem(random, i % 3 * 30 + 1);
      SCOPED_TRACE(describe(problem));
      expect_near(problem, reference(problem), run(problem, Precision::exact), tolerance(Precision::exact));
    }
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST_F(AttentionTest, RejectsWhatItCannotRead) {
  std::mt19937 random(13);
  Problem problem;
  randomise_queries(random, problem);
  problem.segments.push_back(random_segment(random, problem, DType::f32, false, 0, {3}));
  problem.segments[0].dtype = DType::q5_1;
  try {
    run(problem, Precision::fast);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("q5_1"), std::string::npos);
  }
  problem.segments[0].dtype = DType::f32;
  problem.segments[0].heads.clear();
  EXPECT_THROW(run(problem, Precision::fast), Error);
}

TEST_F(AttentionTest, NoTokensIsNoWork) {
  Problem problem;
  problem.tokens = 0;
  std::mt19937 random(14);
  randomise_queries(random, problem);
  problem.segments.push_back(random_segment(random, problem, DType::f32, false, 0, {3}));
  EXPECT_NO_THROW(run(problem, Precision::fast));
}

}  // namespace
}  // namespace kvzip::attention_test
