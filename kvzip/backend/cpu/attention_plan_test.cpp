// That plans cover all work once and evenly.
#include "kvzip/backend/cpu/attention_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

namespace kvzip::attention {
namespace {

struct Shape {
  size_t tokens;
  size_t group;
  size_t head_dim;
  std::vector<std::vector<size_t>> lens;  ///< `[segments][kv_heads]`
};

/// A call over segments that everyone sees. The plan looks at no memory.
struct Call {
  explicit Call(const Shape& shape) {
    for (const auto& lens : shape.lens) {
      rows.emplace_back();
      for (const size_t len : lens) rows.back().push_back({nullptr, nullptr, len});
    }
    for (const auto& heads : rows) segments.push_back({heads, DType::f16, false, 0});
    args.kv_heads = shape.lens.front().size();
    args.head_dim = shape.head_dim;
    args.q.rows = shape.tokens;
    args.q.cols = args.kv_heads * shape.group * shape.head_dim;
    args.segments = segments;
  }

  std::vector<std::vector<KvRows>> rows;
  std::vector<Segment> segments;
  AttendArgs args;
};

/// Every token of every head meets every key once, pieces of an item are neighbours in order, and spans hold all
/// pieces.
void expect_complete(const Plan& plan, const AttendArgs& args) {
  std::vector<std::vector<size_t>> seen(args.kv_heads, std::vector<size_t>(args.q.rows));
  for (size_t i = 0; i < plan.items.size(); ++i) {
    const Item& item = plan.items[i];
    size_t in_ranges = 0;
    for (const KeyRange& range : item.ranges) in_ranges += range.size();
    ASSERT_EQ(item.keys, in_ranges);
    size_t at = 0;
    ASSERT_GE(item.pieces, 1U);
    for (size_t p = item.first_piece; p < item.first_piece + item.pieces; ++p) {
      ASSERT_EQ(plan.pieces[p].item, i);
      ASSERT_EQ(plan.pieces[p].begin, at);
      at = plan.pieces[p].end;
    }
    ASSERT_EQ(at, item.keys);
    for (size_t t = 0; t < item.tokens; ++t) seen[item.head][item.first_token + t] += item.keys;
  }
  for (size_t head = 0; head < args.kv_heads; ++head) {
    size_t expected = 0;
    for (const Segment& segment : args.segments) expected += segment.heads[head].len;
    for (const size_t keys : seen[head]) ASSERT_EQ(keys, expected);
  }
  std::vector<size_t> order = plan.order;
  std::sort(order.begin(), order.end());
  std::vector<size_t> all(plan.pieces.size());
  std::iota(all.begin(), all.end(), size_t{0});
  ASSERT_EQ(order, all);
  ASSERT_EQ(plan.spans.front(), 0U);
  ASSERT_EQ(plan.spans.back(), plan.pieces.size());
  ASSERT_TRUE(std::is_sorted(plan.spans.begin(), plan.spans.end()));
}

TEST(AttentionPlanTest, CoversEverythingOnce) {
  std::mt19937 random(1);
  const auto pick = [&](size_t low, size_t high) { return std::uniform_int_distribution<size_t>(low, high)(random); };
  for (int i = 0; i < 300; ++i) {
    Shape shape{pick(1, 300), pick(1, 8), 8 * pick(1, 32), {}};
    const size_t heads = pick(1, 9);
    shape.lens.resize(pick(1, 3));
    for (auto& lens : shape.lens) {
      for (size_t h = 0; h < heads; ++h) lens.push_back(pick(0, 3) == 0 ? 0 : pick(0, 20000));
    }
    const Call call(shape);
    const size_t threads = pick(1, 17);
    const Plan plan = make_plan(call.args, pick(1, 700), threads);
    ASSERT_LE(plan.threads, threads);
    expect_complete(plan, call.args);
  }
}

TEST(AttentionPlanTest, OneTokenOverUnequalHeadsIsCutEvenly) {
  const Call call({1, 3, 64, {{30000, 10, 200, 0, 1}, {7, 7, 7, 7, 7}}});
  const size_t work = 30211 + 35;
  for (const size_t threads : {2, 3, 8}) {
    const Plan plan = make_plan(call.args, 3, threads);
    expect_complete(plan, call.args);
    ASSERT_EQ(plan.threads, threads);
    ASSERT_EQ(plan.spans.size(), threads + 1);
    for (size_t span = 0; span < threads; ++span) {
      size_t keys = 0;
      for (size_t i = plan.spans[span]; i < plan.spans[span + 1]; ++i)
        keys += plan.pieces[i].end - plan.pieces[i].begin;
      EXPECT_NEAR(static_cast<double>(keys), static_cast<double>(work) / static_cast<double>(threads), 128);
    }
  }
}

TEST(AttentionPlanTest, LittleWorkStaysOnOneThread) {
  const Call call({1, 3, 64, {{20, 20, 20}}});
  EXPECT_EQ(make_plan(call.args, 3, 8).threads, 1U);
}

TEST(AttentionPlanTest, ManyItemsAreTakenWholeLongestFirst) {
  const Call call({256, 1, 64, {{5000, 100, 9000}}});
  const Plan plan = make_plan(call.args, 64, 2);
  expect_complete(plan, call.args);
  ASSERT_EQ(plan.items.size(), 12U);
  ASSERT_EQ(plan.pieces.size(), 12U);
  for (size_t i = 0; i + 1 < plan.order.size(); ++i) {
    EXPECT_GE(plan.items[plan.order[i]].keys, plan.items[plan.order[i + 1]].keys);
  }
}

TEST(AttentionPlanTest, CausalItemsSkipWhatNoTokenSees) {
  Call call({100, 1, 64, {{1000}}});
  call.segments[0].positional = true;
  call.segments[0].first_position = 50;
  call.args.first_position = 500;
  call.args.window = 30;
  const Plan plan = make_plan(call.args, 100, 1);
  ASSERT_EQ(plan.items.size(), 1U);
  ASSERT_EQ(plan.items[0].ranges.size(), 1U);
  EXPECT_EQ(plan.items[0].ranges[0].begin, 421U);  // the first token sees positions 471 to 500
  EXPECT_EQ(plan.items[0].ranges[0].end, 550U);    // the last one, at 599, sees itself
}

TEST(AttentionPlanTest, KeysOfTheScoringSoftmaxComeFirst) {
  const Call call({10, 1, 64, {{1000}, {10}}});
  AttendArgs args = call.args;
  ScoreRequest score{40, 300, 200, {}};
  args.score = &score;
  const Plan plan = make_plan(args, 100, 4);
  expect_complete(plan, args);
  const Item& item = plan.items.at(0);
  ASSERT_EQ(item.ranges.size(), 5U);
  EXPECT_EQ(item.score_ranges, 3U);
  size_t scoring_keys = 0;
  for (size_t i = 0; i < item.score_ranges; ++i) scoring_keys += item.ranges[i].size();
  EXPECT_EQ(scoring_keys, 40U + 200U + 10U);
  EXPECT_FALSE(item.ranges[0].scored);
  EXPECT_TRUE(item.ranges[1].scored);
  EXPECT_EQ(item.ranges[1].begin, 300U);
}

}  // namespace
}  // namespace kvzip::attention
