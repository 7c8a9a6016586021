// Decode attention against attention in f64 on the CPU: every type, ragged heads, tails, windows, several questions.
#include "kvzip/backend/cuda/attend_decode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "kvzip/backend/cpu/attention_reference_test.h"
#include "kvzip/backend/cuda/device_array_test.h"

namespace kvzip::cuda {
namespace {

using attention_test::Problem;
using attention_test::SegmentData;

struct Case {
  size_t questions = 1;
  size_t tokens = 1;
  size_t kv_heads = 2;
  size_t group = 4;
  size_t head_dim = 128;
  size_t window = 0;
  DType shared = DType::f16;
  DType tail = DType::f16;
  bool shared_positional = false;
  DType q = DType::f32;
  std::vector<size_t> lens;  ///< `[kv_heads]` of the shared segment
  size_t tail_rows = 0;      ///< before the queries' own, for the first question; others have a few more
};

/// Rows of quantised blocks and the values that they stand for.
struct QuantRows {
  std::vector<std::byte> bytes;
  std::vector<std::byte> values;  ///< f32, without padding
};

QuantRows random_quant_rows(std::mt19937& random, DType dtype, size_t rows, size_t head_dim) {
  QuantRows result;
  const size_t blocks = (head_dim + 31) / 32;
  std::uniform_int_distribution<int> byte(0, 255);
  std::uniform_real_distribution<float> scales(0.001F, 0.02F);
  for (size_t row = 0; row < rows; ++row) {
    for (size_t block = 0; block < blocks; ++block) {
      const float wanted = scales(random) * (dtype == DType::q8_0 ? 1.0F : 16.0F) * (random() % 2 == 0 ? 1.0F : -1.0F);
      attention_test::append_value(result.bytes, DType::f16, wanted);
      const double scale = attention_test::decode_value(&result.bytes[result.bytes.size() - 2], DType::f16);
      int codes[32];
      std::vector<std::byte> bytes(dtype == DType::q8_0 ? 32 : 16);
      for (size_t i = 0; i < bytes.size(); ++i) {
        const int value = byte(random);
        bytes[i] = static_cast<std::byte>(value);
        if (dtype == DType::q8_0) {
          codes[i] = static_cast<int8_t>(value);
        } else {
          codes[i] = value % 16 - 8;
          codes[i + 16] = value / 16 - 8;
        }
      }
      result.bytes.insert(result.bytes.end(), bytes.begin(), bytes.end());
      for (size_t i = 0; i < 32 && block * 32 + i < head_dim; ++i) {
        attention_test::append_value(result.values, DType::f32, static_cast<float>(scale * codes[i]));
      }
    }
  }
  return result;
}

/// A segment on the device and, for the reference, on the host.
struct BothSegments {
  SegmentData host;
  std::vector<DeviceArray<std::byte>> memory;
  std::vector<KvRows> heads;
};

BothSegments random_both(std::mt19937& random, const Case& c, DType dtype, bool positional, size_t first_position,
                         const std::vector<size_t>& lens) {
  BothSegments both;
  both.host = {dtype, positional, first_position, {}};
  const bool quantised = dtype == DType::q8_0 || dtype == DType::q4_0;
  if (quantised) both.host.dtype = DType::f32;
  for (const size_t len : lens) {
    attention_test::HeadData head;
    head.len = len;
    for (const bool is_key : {true, false}) {
      std::vector<std::byte> bytes;
      std::vector<std::byte>& values = is_key ? head.k : head.v;
      if (quantised) {
        QuantRows rows = random_quant_rows(random, dtype, len, c.head_dim);
        bytes = std::move(rows.bytes);
        values = std::move(rows.values);
      } else {
        values = bytes = attention_test::random_rows(random, dtype, len, c.head_dim);
      }
      both.memory.emplace_back(bytes);
    }
    both.host.heads.push_back(head);
    both.heads.push_back({both.memory[both.memory.size() - 2].data(), both.memory.back().data(), len});
  }
  return both;
}

/// A problem on the device, and the same as one problem per question for the reference.
class Trial {
 public:
  Trial(const Case& c, uint32_t seed) : case_(c), random_(seed), shared_(random_shared()) {
    for (size_t question = 0; question < c.questions; ++question) {
      const size_t rows = c.tail_rows + 3 * question + c.tokens;
      const size_t first = tail_start();
      BothSegments tail = random_both(random_, c, c.tail, true, first, std::vector<size_t>(c.kv_heads, rows));
      tail_heads_.insert(tail_heads_.end(), tail.heads.begin(), tail.heads.end());
      positions_.push_back(first + rows - c.tokens);
      Problem problem;
      problem.tokens = c.tokens;
      problem.kv_heads = c.kv_heads;
      problem.group = c.group;
      problem.head_dim = c.head_dim;
      problem.window = c.window;
      problem.first_position = positions_.back();
      attention_test::randomise_queries(random_, problem);
      std::vector<std::byte> bytes;
      for (const float value : problem.q) attention_test::append_value(bytes, c.q, value);
      const std::vector<double> rounded = attention_test::decode(bytes, c.q, problem.q.size());
      problem.q.assign(rounded.begin(), rounded.end());
      q_bytes_.insert(q_bytes_.end(), bytes.begin(), bytes.end());
      problem.segments = {shared_.host, tail.host};
      problems_.push_back(problem);
      tails_.push_back(std::move(tail));
    }
  }

  /// The relative error of the worst row, after `launches` launches into a poisoned output.
  double worst_error(int launches = 1) {
    const size_t values = case_.kv_heads * case_.group * case_.head_dim;
    const DeviceArray<std::byte> q(q_bytes_);
    DeviceArray<float> out(case_.questions * case_.tokens * values);
    const size_t rows = case_.questions * case_.tokens * case_.group;
    DeviceArray<std::byte> workspace(attend_decode_workspace_bytes(rows, case_.head_dim));
    workspace.fill_bytes(0xFF);
    const DecodeSegment segments[] = {
        {shared_.heads, case_.shared, false, case_.shared_positional, 0},
        {tail_heads_, case_.tail, true, true, tail_start()},
    };
    DecodeArgs args;
    const size_t line = values * (case_.q == DType::f32 ? 4 : 2);
    args.q = {q.data(), case_.q, case_.questions * case_.tokens, values, line};
    args.out = {out.data(), DType::f32, case_.questions * case_.tokens, values, values * 4};
    args.questions = case_.questions;
    args.tokens = case_.tokens;
    args.kv_heads = case_.kv_heads;
    args.group = case_.group;
    args.head_dim = case_.head_dim;
    args.scale = problems_[0].scale;
    args.window = case_.window;
    args.positions = positions_;
    args.segments = segments;
    for (int i = 0; i < launches; ++i) {
      out.fill_bytes(0xFF);
      attend_decode(args, workspace.data(), nullptr);
    }
    expect_success(cudaDeviceSynchronize());
    return compare(out.download());
  }

 private:
  size_t tail_start() const {
    return case_.shared_positional ? *std::max_element(case_.lens.begin(), case_.lens.end()) : 1000;
  }
  BothSegments random_shared() {
    return random_both(random_, case_, case_.shared, case_.shared_positional, 0, case_.lens);
  }

  double compare(const std::vector<float>& out) const {
    double worst = 0;
    size_t at = 0;
    for (const Problem& problem : problems_) {
      const std::vector<double> expected = attention_test::reference(problem).out;
      for (size_t row = 0; row < expected.size(); row += case_.head_dim) {
        double difference = 0;
        double norm = 0;
        for (size_t d = 0; d < case_.head_dim; ++d, ++at) {
          difference += std::pow(out[at] - expected[row + d], 2);
          norm += std::pow(expected[row + d], 2);
        }
        const double error = std::sqrt(difference / std::max(norm, 1e-12));
        worst = std::isnan(error) ? std::numeric_limits<double>::infinity() : std::max(worst, error);
      }
    }
    return worst;
  }

  Case case_;
  std::mt19937 random_;
  BothSegments shared_;
  std::vector<BothSegments> tails_;
  std::vector<KvRows> tail_heads_;
  std::vector<size_t> positions_;
  std::vector<std::byte> q_bytes_;
  std::vector<Problem> problems_;
};

// Queries and weights are rounded to the cache's type: 11 bits of f16, 8 of bf16, a few roundings each.
double tolerance(const Case& c) { return c.shared == DType::bf16 || c.tail == DType::bf16 ? 0.02 : 0.003; }

TEST(AttendDecodeTest, EveryTypeAndShape) {
  const std::pair<DType, DType> types[] = {{DType::f16, DType::f16},
                                           {DType::bf16, DType::bf16},
                                           {DType::q8_0, DType::f16},
                                           {DType::q4_0, DType::f16},
                                           {DType::q8_0, DType::bf16}};
  const std::pair<size_t, size_t> shapes[] = {{64, 3}, {80, 1}, {96, 5}, {128, 4}, {128, 7}, {128, 16}, {256, 8}};
  uint32_t seed = 1;
  for (const auto& [shared, tail] : types) {
    for (const auto& [head_dim, group] : shapes) {
      for (const size_t tokens : {1, 3, 16}) {
        Case c;
        c.shared = shared;
        c.tail = tail;
        c.head_dim = head_dim;
        c.group = group;
        c.tokens = tokens;
        c.kv_heads = 3;
        c.lens = {1 + seed * 37 % 700, seed % 2, 301};
        c.tail_rows = seed % 40;
        c.q = seed % 3 == 0 ? DType::f16 : DType::f32;
        EXPECT_LT(Trial(c, seed).worst_error(), tolerance(c))
            << dtype_name(shared) << ' ' << dtype_name(tail) << ", head_dim " << head_dim << ", group " << group
            << ", tokens " << tokens << ", seed " << seed;
        ++seed;
      }
    }
  }
}

TEST(AttendDecodeTest, OneHeadKeepsAlmostEverything) {
  Case c;
  c.kv_heads = 8;
  c.lens = {0, 1, 0, 20011, 17, 0, 16, 15};
  EXPECT_LT(Trial(c, 71).worst_error(), tolerance(c));
}

TEST(AttendDecodeTest, ContextWithoutRows) {
  Case c;
  c.lens = {0, 0};
  EXPECT_LT(Trial(c, 72).worst_error(), tolerance(c));
}

TEST(AttendDecodeTest, ShortestContext) {
  Case c;
  c.kv_heads = 1;
  c.group = 1;
  c.lens = {1};
  EXPECT_LT(Trial(c, 73).worst_error(), tolerance(c));
}

TEST(AttendDecodeTest, WorkspaceIsReadyForTheNextLaunch) {
  Case c;
  c.lens = {900, 5000};
  c.tail_rows = 9;
  EXPECT_LT(Trial(c, 74).worst_error(20), tolerance(c));
}

TEST(AttendDecodeTest, SeveralQuestionsShareTheContext) {
  uint32_t seed = 100;
  for (const size_t questions : {2, 5, 16}) {
    for (const size_t group : {1, 4, 7, 8}) {
      for (const size_t tokens : {1, 2}) {
        Case c;
        c.questions = questions;
        c.group = group;
        c.tokens = tokens;
        c.lens = {777, 2050};
        c.tail_rows = 20;
        c.shared = seed % 2 == 0 ? DType::f16 : DType::q8_0;
        EXPECT_LT(Trial(c, seed).worst_error(), tolerance(c))
            << questions << " questions, group " << group << ", tokens " << tokens;
        ++seed;
      }
    }
  }
}

TEST(AttendDecodeTest, RowsOfManyQuestionsAreSplit) {
  Case c;
  c.questions = 9;
  c.tokens = 3;
  c.group = 16;
  c.head_dim = 256;
  c.lens = {333, 1000};
  EXPECT_LT(Trial(c, 150).worst_error(), tolerance(c));
}

TEST(AttendDecodeTest, Windows) {
  uint32_t seed = 200;
  for (const size_t window : {1, 15, 16, 100, 1000}) {
    for (const size_t tokens : {1, 7}) {
      Case c;
      c.window = window;
      c.tokens = tokens;
      c.questions = 2;
      c.shared_positional = true;
      c.lens = {500, 500};
      c.tail_rows = seed % 3 * 20;
      EXPECT_LT(Trial(c, seed).worst_error(), tolerance(c)) << "window " << window << ", tokens " << tokens;
      ++seed;
    }
  }
}

}  // namespace
}  // namespace kvzip::cuda
