// Which keys each item sees, and how items are shared out among threads.
#include "kvzip/backend/cpu/attention_plan.h"

#include <algorithm>
#include <numeric>

#include "kvzip/backend/cpu/products.h"

namespace kvzip::attention {
namespace {

/// Multiply-adds that are worth a thread: about 3 us, twice what starting one costs.
constexpr size_t kThreadWork = 1 << 16;
/// Whole items per thread from which taking them one by one, longest first, keeps all threads busy.
constexpr size_t kItemsPerThread = 3;
/// Cuts fall on multiples of this many keys.
constexpr size_t kCutKeys = 64;

void add_range(std::vector<KeyRange>& ranges, size_t segment, RowRange rows, bool scored) {
  if (rows.begin < rows.end) ranges.push_back({segment, rows.begin, rows.end, scored});
}

/// Rows of a segment that any of the item's tokens sees.
RowRange item_rows_of(const AttendArgs& args, const Item& item, size_t segment) {
  const Segment& s = args.segments[segment];
  const size_t len = s.heads[item.head].len;
  const size_t first = args.first_position + item.first_token;
  return {visible_rows(s, len, first, args.window).begin,
          visible_rows(s, len, first + item.tokens - 1, args.window).end};
}

void add_ranges(const AttendArgs& args, Item& item) {
  if (args.score == nullptr) {
    for (size_t s = 0; s < args.segments.size(); ++s) add_range(item.ranges, s, item_rows_of(args, item, s), false);
    return;
  }
  // The keys of the scoring softmax come first: when they are done, the running sums are its log-sum-exp, and the
  // columns' logits are still in the cache.
  const ScoreRequest& score = *args.score;
  const RowRange document = item_rows_of(args, item, 0);
  const size_t chunk_end = score.chunk_begin + score.chunk_len;
  add_range(item.ranges, 0, {0, std::min(score.system_len, document.end)}, false);
  add_range(item.ranges, 0, {score.chunk_begin, std::min(chunk_end, document.end)}, true);
  add_range(item.ranges, 1, item_rows_of(args, item, 1), false);
  item.score_ranges = item.ranges.size();
  add_range(item.ranges, 0, {score.system_len, std::min(score.chunk_begin, document.end)}, false);
  add_range(item.ranges, 0, {chunk_end, document.end}, false);
}

void whole_items(Plan& plan) {
  for (size_t i = 0; i < plan.items.size(); ++i) {
    plan.items[i].pieces = 1;
    plan.items[i].first_piece = i;
    plan.pieces.push_back({i, 0, plan.items[i].keys});
  }
  plan.order.resize(plan.items.size());
  std::iota(plan.order.begin(), plan.order.end(), size_t{0});
  std::stable_sort(plan.order.begin(), plan.order.end(), [&](size_t a, size_t b) {
    return plan.items[a].keys * plan.items[a].tokens > plan.items[b].keys * plan.items[b].tokens;
  });
  plan.spans.resize(plan.items.size() + 1);
  std::iota(plan.spans.begin(), plan.spans.end(), size_t{0});
}

/// Cuts all items' keys, laid end to end, into one span per thread.
void equal_spans(Plan& plan, size_t work) {
  plan.spans.push_back(0);
  size_t done = 0;
  for (size_t i = 0; i < plan.items.size(); ++i) {
    Item& item = plan.items[i];
    item.first_piece = plan.pieces.size();
    for (size_t key = 0; key < item.keys || item.pieces == 0;) {
      const size_t share = work * plan.spans.size() / plan.threads;
      const size_t wanted = share > done ? (share - done) / item.tokens : 0;
      size_t count = std::min(item.keys - key, round_up(wanted, kCutKeys));
      if (plan.spans.size() == plan.threads) count = item.keys - key;
      if (count > 0 || item.keys == 0) {
        plan.pieces.push_back({i, key, key + count});
        ++item.pieces;
      }
      key += count;
      done += count * item.tokens;
      if (key < item.keys) plan.spans.push_back(plan.pieces.size());
    }
  }
  plan.spans.push_back(plan.pieces.size());
  plan.order.resize(plan.pieces.size());
  std::iota(plan.order.begin(), plan.order.end(), size_t{0});
}

}  // namespace

RowRange visible_rows(const Segment& segment, size_t len, size_t position, size_t window) {
  if (!segment.positional) return {0, len};
  if (position < segment.first_position) return {0, 0};
  const size_t end = position - segment.first_position + 1;  // of rows at or before the query
  const size_t begin = window != 0 && end > window ? end - window : 0;
  return {std::min(begin, len), std::min(end, len)};
}

Plan make_plan(const AttendArgs& args, size_t item_rows, size_t threads) {
  const size_t group = group_size(args);
  const size_t item_tokens = std::clamp<size_t>(item_rows / group, 1, args.q.rows);
  Plan plan;
  size_t work = 0;
  for (size_t head = 0; head < args.kv_heads; ++head) {
    for (size_t token = 0; token < args.q.rows; token += item_tokens) {
      Item item{head, token, std::min(item_tokens, args.q.rows - token), {}, 0, 0};
      add_ranges(args, item);
      for (const KeyRange& range : item.ranges) item.keys += range.size();
      work += item.keys * item.tokens;
      plan.max_rows = std::max(plan.max_rows, item.tokens * group);
      plan.items.push_back(std::move(item));
    }
  }
  plan.threads = std::clamp<size_t>(work * group * args.head_dim / kThreadWork, 1, threads);
  // Scores need all keys of a row in one place.
  if (args.score != nullptr || plan.threads == 1 || plan.items.size() >= kItemsPerThread * plan.threads) {
    whole_items(plan);
  } else {
    equal_spans(plan, work);
  }
  return plan;
}

}  // namespace kvzip::attention
