#include "kvzip/backend/backend.h"

#include <array>
#include <numeric>
#include <utility>

namespace kvzip {
namespace {

/// Rows of single heads.
View by_head(const View& view, size_t head_dim) {
  return {view.data, view.dtype, view.rows * view.cols / head_dim, head_dim, row_bytes(view.dtype, head_dim)};
}

}  // namespace

ConstView Backend::rows_of_input(const LinearInput& in) {
  if (in.norm == nullptr) return in.x;
  rms_norm(in.x, in.norm, in.eps, in.normed);
  return in.normed;
}

void Backend::gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up, Activation activation) {
  linear(in, std::array{gate, up});
  gated_activation(gate.out, up.out, activation);
}

void Backend::prepare_heads(const HeadRows& rows) {
  const auto turn = [&](const View& x, const float* norm) {
    if (x.rows == 0) return;
    if (norm != nullptr) rms_norm(by_head(x, rows.head_dim), norm, rows.eps, by_head(x, rows.head_dim));
    if (rows.cos_sin.cols > 0) rope(x, rows.head_dim, rows.cos_sin, rows.pairing);
  };
  turn(rows.q, rows.q_norm);
  turn(rows.k, rows.k_norm);
  if (rows.k.rows == 0) return;
  const size_t kv_heads = rows.k.cols / rows.head_dim;
  if (rows.heads.size() == kv_heads) {
    return store_kv(rows.k, rows.v, rows.heads, rows.dtype, rows.heads.front().len - rows.k.rows);
  }
  for (size_t i = 0; i < rows.k.rows; ++i) {
    const std::span<const KvRows> heads = rows.heads.subspan(i * kv_heads, kv_heads);
    store_kv(rows_of(rows.k, i, 1), rows_of(rows.v, i, 1), heads, rows.dtype, heads.front().len - 1);
  }
}

void Backend::gather_heads(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim) {
  std::vector<uint32_t> first;
  for (const HeadGather& head : heads) {
    if (head.count == 0) continue;
    std::span<const uint32_t> index = head.index;
    if (index.empty()) {
      first.resize(head.count);
      std::iota(first.begin(), first.end(), 0U);
      index = first;
    }
    for (const auto& [source, target] : {std::pair{head.from.k, head.to.k}, std::pair{head.from.v, head.to.v}}) {
      gather_rows({source, from, head.from.len, head_dim, padded_row_bytes(from, head_dim)}, index,
                  {target, to, head.count, head_dim, padded_row_bytes(to, head_dim)});
    }
  }
}

bool Backend::find_candidates(const ConstView&, size_t, std::vector<Candidate>&) { return false; }

void Backend::attend_together(std::span<const AttendArgs> calls) {
  for (const AttendArgs& args : calls) attend(args);
}

}  // namespace kvzip
