#include "kvzip/backend/operation_cost.h"

#include <algorithm>

namespace kvzip {
namespace {

double number(size_t value) { return static_cast<double>(value); }

double values_of(const ConstView& view) { return number(view.rows) * number(view.cols); }

double vector_bytes(const float* vector, size_t values) { return vector == nullptr ? 0 : 4 * number(values); }

/// Of one segment's rows of a head: how many the queries see, counted for each query, and how many any of them sees.
struct Seen {
  double pairs = 0;
  double rows = 0;
};

Seen seen_rows(const AttendArgs& args, const Segment& segment, size_t len) {
  if (!segment.positional) return {number(args.q.rows) * number(len), number(len)};
  // Rows before `end` are not behind the query, rows from `begin` on are inside its window.
  const auto clamped = [&](size_t position) {
    return std::min(position - std::min(position, segment.first_position), len);
  };
  const auto begin = [&](size_t position) {
    return args.window == 0 || position < args.window ? 0 : clamped(position + 1 - args.window);
  };
  Seen seen;
  for (size_t query = 0; query < args.q.rows; ++query) {
    const size_t position = args.first_position + query;
    seen.pairs += number(clamped(position + 1) - begin(position));
  }
  if (args.q.rows > 0) seen.rows = number(clamped(args.first_position + args.q.rows) - begin(args.first_position));
  return seen;
}

}  // namespace

double bytes_of(const ConstView& view) { return number(view.rows) * number(row_bytes(view.dtype, view.cols)); }

OperationCost elementwise_cost(std::initializer_list<ConstView> read, const ConstView& written, double flop) {
  OperationCost cost{bytes_of(written), flop * values_of(written)};
  for (const ConstView& view : read) cost.bytes += bytes_of(view);
  return cost;
}

OperationCost embed_cost(size_t ids, const ConstView& table, const ConstView& out) {
  return {number(ids) * number(row_bytes(table.dtype, table.cols)) + bytes_of(out), values_of(out)};
}

OperationCost rms_norm_cost(const ConstView& x, const ConstView& out) {
  return {bytes_of(x) + bytes_of(out) + 4 * number(x.cols), 4 * values_of(x)};
}

OperationCost layer_norm_cost(const ConstView& x, const ConstView& out) {
  return {bytes_of(x) + bytes_of(out) + 8 * number(x.cols), 8 * values_of(x)};
}

OperationCost linear_cost(const LinearInput& in, std::span<const LinearPart> parts) {
  OperationCost cost{bytes_of(in.x) + vector_bytes(in.norm, in.x.cols), in.norm == nullptr ? 0 : 4 * values_of(in.x)};
  for (const LinearPart& part : parts) {
    cost.bytes += bytes_of(part.weight) + vector_bytes(part.bias, part.weight.rows);
    cost.bytes += bytes_of(part.out) * (part.accumulate ? 2 : 1);
    cost.flop += 2 * number(in.x.rows) * values_of(part.weight);
    cost.flop += values_of(part.out) * ((part.bias != nullptr ? 1 : 0) + (part.accumulate ? 1 : 0));
  }
  return cost;
}

OperationCost gated_linear_cost(const LinearInput& in, const LinearPart& gate, const LinearPart& up) {
  const LinearPart parts[] = {gate, up};
  OperationCost cost = linear_cost(in, parts);
  cost.bytes -= bytes_of(up.out);
  cost.flop += 5 * values_of(gate.out);
  return cost;
}

OperationCost rope_cost(const ConstView& x, size_t head_dim, const ConstView& cos_sin) {
  const double pairs = number(x.rows) * number(x.cols / head_dim) * number(cos_sin.cols / 2);
  const double rotated = pairs * 2 * number(row_bytes(x.dtype, 1));
  return {2 * rotated + bytes_of(cos_sin), 6 * pairs};
}

OperationCost store_kv_cost(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype) {
  const size_t row = heads.empty() ? 0 : heads.size() * row_bytes(dtype, k.cols / heads.size());
  return {bytes_of(k) + bytes_of(v) + 2 * number(k.rows) * number(row), 0};
}

OperationCost prepare_heads_cost(const HeadRows& rows) {
  OperationCost cost{bytes_of(rows.cos_sin), 0};
  const auto turn = [&](const View& x, const float* norm) {
    if (norm != nullptr) cost.flop += 4 * values_of(x);
    if (rows.cos_sin.cols > 0) cost.flop += rope_cost(x, rows.head_dim, rows.cos_sin).flop;
  };
  turn(rows.q, rows.q_norm);
  turn(rows.k, rows.k_norm);
  if (rows.cos_sin.cols > 0 || rows.q_norm != nullptr) cost.bytes += 2 * bytes_of(rows.q);
  const double row = number(rows.k.cols / rows.head_dim) * number(row_bytes(rows.dtype, rows.head_dim));
  cost.bytes += bytes_of(rows.k) + bytes_of(rows.v) + 2 * number(rows.k.rows) * row;
  return cost;
}

OperationCost gather_heads_cost(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim) {
  size_t rows = 0;
  for (const HeadGather& head : heads) rows += head.count;
  return {2 * number(rows) * number(padded_row_bytes(from, head_dim) + padded_row_bytes(to, head_dim)), 0};
}

OperationCost attend_cost(const AttendArgs& args) {
  OperationCost cost{bytes_of(args.q) + bytes_of(args.out), 0};
  const double group = number(args.q.cols / args.head_dim / args.kv_heads);
  for (const Segment& segment : args.segments) {
    const double row = 2 * number(row_bytes(segment.dtype, args.head_dim));
    for (const KvRows& head : segment.heads) {
      const Seen seen = seen_rows(args, segment, head.len);
      cost.bytes += seen.rows * row;
      cost.flop += 4 * number(args.head_dim) * group * seen.pairs;
    }
  }
  return cost;
}

}  // namespace kvzip
