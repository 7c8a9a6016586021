// What each operation of a backend needs at least, from the shapes it is given: bytes that have to be read and written
// once, and floating-point operations. Pure functions; they look at no data.
//
// Counting rules: a multiplication and an addition are two operations, a function such as exp is one. A matrix of
// weights is read once a call, keys and values once for all queries that see them, in the types they are held in. What
// an implementation stores in between isn't counted.
#pragma once

#include <span>

#include "kvzip/backend/backend.h"

namespace kvzip {

struct OperationCost {
  double bytes = 0;
  double flop = 0;

  OperationCost& operator+=(const OperationCost& other) {
    bytes += other.bytes;
    flop += other.flop;
    return *this;
  }
};

/// Bytes of the rows of a view, without gaps between them.
double bytes_of(const ConstView& view);

/// `flop` for each value of `written`, which is made of what `read` holds.
OperationCost elementwise_cost(std::initializer_list<ConstView> read, const ConstView& written, double flop);

OperationCost embed_cost(size_t ids, const ConstView& table, const ConstView& out);
/// 4 operations a value: the square, its sum, and two factors.
OperationCost rms_norm_cost(const ConstView& x, const ConstView& out);
/// 8 operations a value: sum, difference, square, its sum, the difference again, two factors and a bias.
OperationCost layer_norm_cost(const ConstView& x, const ConstView& out);
/// 2 in out for each row and part, one more for a bias, one for a sum; a norm of the input as above.
OperationCost linear_cost(const LinearInput& in, std::span<const LinearPart> parts);
/// Both products, 5 operations for each value of the activated gate, and only the gate's result written.
OperationCost gated_linear_cost(const LinearInput& in, const LinearPart& gate, const LinearPart& up);
/// 6 operations for each pair.
OperationCost rope_cost(const ConstView& x, size_t head_dim, const ConstView& cos_sin);
OperationCost store_kv_cost(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype);
/// Of q and k what their norms and rotation need; q written where it was, k and v to the cache only.
OperationCost prepare_heads_cost(const HeadRows& rows);
/// Keys and values of the rows named, read and written.
OperationCost gather_heads_cost(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim);
/// 4 head_dim operations for each key that a query head sees.
OperationCost attend_cost(const AttendArgs& args);

}  // namespace kvzip
