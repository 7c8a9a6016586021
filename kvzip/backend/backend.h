// The operations that a model needs from a device, and nothing else. Views name the device's memory. One Backend serves
// one thread at a time; its operations use all cores (or the whole device) by themselves.
//
// Shapes are `[rows, cols]`. Activations are f32 or the backend's activation_type(), where no other type is named.
// `tokens` is the number of rows of a batch, token i of a batch that starts at position p has position p + i.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/backend/recording.h"
#include "kvzip/tensor/buffer.h"
#include "kvzip/tensor/view.h"

namespace kvzip {

/// One product of a linear layer: out = x * weight^T (+ bias), or out += ... where `accumulate`.
struct LinearPart {
  ConstView weight;             ///< `[out, in]`, any DType
  const float* bias = nullptr;  ///< `[out]` device memory, or null
  View out;                     ///< `[tokens, out]` activations
  bool accumulate = false;      ///< add to what `out` holds: the residual stream
};

/// What linear layers multiply: rows `[tokens, in]`, as they are or after an RMS norm as rms_norm() does it.
struct LinearInput {
  LinearInput(const ConstView& rows) : x(rows) {}  // NOLINT(google-explicit-constructor): rows are an input
  LinearInput(const View& rows) : x(rows) {}       // NOLINT(google-explicit-constructor)
  LinearInput(const ConstView& rows, const float* weight, float epsilon, const View& room)
      : x(rows), norm(weight), eps(epsilon), normed(room) {}

  ConstView x;
  const float* norm = nullptr;  ///< `[in]`; null = no norm
  float eps = 0;
  View normed;  ///< `[tokens, in]` activations: room for what the norm gives, left open afterwards
};

enum class Activation : uint8_t {
  silu,
  gelu_tanh,  ///< GELU as its approximation by tanh
  gelu_erf,   ///< GELU itself: x times the normal distribution's share below x
  relu,
};

/// Which pairs of a head's values are rotated together.
enum class RopePairing : uint8_t {
  adjacent,  ///< (2i, 2i + 1): GGUF's "NORM", llama files with permuted q and k
  halves,    ///< (i, i + dims/2): "NEOX", as in the papers' reference code
};

/// Keys and values of one KV head: `len` rows of `head_dim` values each, padded_row_bytes() apart.
struct KvRows {
  void* k = nullptr;
  void* v = nullptr;
  size_t len = 0;
};

/// Rows of one KV head to be gathered: keys and values of `from` at the places that `index` names, or its first rows
/// where there is no index, become the first `count` rows of `to`.
struct HeadGather {
  KvRows from;
  std::span<const uint32_t> index{};  ///< host memory, `count` rows of `from`; empty = the first ones
  size_t count = 0;
  KvRows to;
};

/// What a layer's queries, keys and values still need before attention: norms of heads, rotation, a place in the cache.
struct HeadRows {
  View q;       ///< `[tokens, heads * head_dim]` activations: rotated in place; no rows = none
  View k;       ///< `[tokens, kv_heads * head_dim]` activations: what it holds afterwards is left open; no rows = none
  ConstView v;  ///< the shape of k
  size_t head_dim = 0;
  const float* q_norm = nullptr;  ///< `[head_dim]`: an RMS norm of every head before it is rotated; null = none
  const float* k_norm = nullptr;
  float eps = 0;
  ConstView cos_sin{};  ///< as rope() takes it; no columns = nothing is rotated
  RopePairing pairing = RopePairing::adjacent;
  /// Where keys and values go: `[kv_heads]`, whose last `tokens` rows they become, or `[tokens, kv_heads]`, of which
  /// each has a token's as its last row.
  std::span<const KvRows> heads{};
  DType dtype = DType::f16;  ///< of the rows: f32, f16 or bf16
};

/// One of some logits.
struct Candidate {
  float logit = 0;
  int32_t id = 0;
};

/// One stretch of keys and values that the queries of a layer look at.
struct Segment {
  std::span<const KvRows> heads;  ///< `[kv_heads]`, lengths may differ
  DType dtype = DType::f16;       ///< f32, f16, bf16, q8_0 or q4_0
  /// True: row r stands at position first_position + r, and a query at p sees it when 0 <= p - (first_position + r) <
  /// window. False: every query sees every row (rows of a compressed context keep no order).
  bool positional = true;
  size_t first_position = 0;
};

/// Asks attend() to also score the rows of segment 0 as KVzip does (Kim et al. 2025, eq. 2): softmax over the keys
/// [0, system_len) and [chunk_begin, chunk_begin + chunk_len) of segment 0 and all visible keys of segment 1, maximum
/// over the queries and over the query heads of a group. The attention output still uses every key.
struct ScoreRequest {
  size_t system_len = 0;
  size_t chunk_begin = 0;
  size_t chunk_len = 0;
  View log_score;  ///< `[kv_heads, chunk_len]` f32, raised to max(old, logit - log-sum-exp); starts at -infinity
};

struct AttendArgs {
  ConstView
      q;  ///< `[tokens, heads * head_dim]` activations, rotated; query head h belongs to KV head h / (heads / kv_heads)
  size_t first_position = 0;  ///< position of q's first row
  size_t kv_heads = 0;
  size_t head_dim = 0;
  float scale = 1;    ///< logits = scale * (q . k)
  size_t window = 0;  ///< keys a query sees in positional segments, its own included; 0 = all
  std::span<const Segment> segments;
  View out;                             ///< `[tokens, heads * head_dim]` activations
  const ScoreRequest* score = nullptr;  ///< needs exactly two segments and no window
};

/// How exactly products of many rows are computed.
enum class Precision : uint8_t {
  fast,   ///< the fastest that keeps answers: bf16 products with f32 sums where the hardware has them, quantised dot
          ///< products
  exact,  ///< f32 throughout, for comparison with references
};

class Backend : public Memory {
 public:
  virtual std::string_view name() const = 0;
  /// One line for people: processor, cores, vector extensions in use.
  virtual std::string description() const = 0;
  /// Bytes that can be allocated now without swapping.
  virtual size_t available_memory() const = 0;
  /// The most bytes that were in use at once so far: of a GPU's memory those that this backend took, on the CPU all of
  /// the process.
  virtual size_t peak_memory() const = 0;
  /// Tokens per pass beyond which more gain next to nothing.
  virtual size_t preferred_batch() const = 0;
  /// To be said before weights are loaded: the types below may depend on it.
  virtual void set_precision(Precision precision) = 0;
  /// In what activations are best held (f32, or bf16 where the device computes in it). The residual stream, angles and
  /// logits are f32 on every device.
  virtual DType activation_type() const = 0;
  /// In what a matrix of weights is to be held that a file has as `stored`: linear() and embed() need it so.
  virtual DType weight_type(DType stored) const = 0;
  /// Operations may return before they are done, in order with all later ones; this waits for them. Throws what went
  /// wrong in them.
  virtual void synchronize() = 0;

  /// Copies between host memory and the device's; `bytes` each.
  virtual void upload(void* device, const void* host, size_t bytes) = 0;
  virtual void download(void* host, const void* device, size_t bytes) = 0;
  /// Copies within the device; ranges may overlap.
  virtual void copy(void* to, const void* from, size_t bytes) = 0;
  /// Makes host memory (of a mapped file that outlives the result) readable by the device, as it is. On the CPU: the
  /// same pointer, an empty Buffer. Elsewhere: a copy that `keep_alive` owns.
  virtual ConstView adopt(const ConstView& host, Buffer& keep_alive) = 0;
  /// out[i] = values of in, of any DType, in the type of out: f32, f16 or bf16.
  virtual void convert(const ConstView& in, const View& out) = 0;

  /// out[i] = scale * table[ids[i]]; ids are host memory, all below table.rows.
  virtual void embed(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) = 0;
  /// out = x / sqrt(mean(x^2) + eps) * weight, row by row. `weight` is `[cols]` f32. In place if out is x.
  virtual void rms_norm(const ConstView& x, const float* weight, float eps, const View& out) = 0;
  /// out = (x - mean(x)) / sqrt(mean((x - mean(x))^2) + eps) * weight + bias, row by row. `weight` and `bias` are
  /// `[cols]` f32. In place if out is x.
  virtual void layer_norm(const ConstView& x, const float* weight, const float* bias, float eps, const View& out) = 0;
  /// All `parts` from the same input `[tokens, in]`.
  virtual void linear(const LinearInput& in, std::span<const LinearPart> parts) = 0;
  /// gate.out = activation(x * gate^T) * (x * up^T): the first half of a gated feed-forward part, biases included. What
  /// up.out holds afterwards is left open.
  virtual void gated_linear(const LinearInput& in, const LinearPart& gate, const LinearPart& up, Activation activation);
  /// gate = activation(gate) * up, `[tokens, n]`.
  virtual void gated_activation(const View& gate, const ConstView& up, Activation activation) = 0;
  /// x = activation(x), `[tokens, n]`.
  virtual void activate(const View& x, Activation activation) = 0;
  /// x += y, `[tokens, n]`.
  virtual void add(const View& x, const ConstView& y) = 0;
  /// Rotates `[tokens, heads * head_dim]` in place. `cos_sin` is `[tokens, 2 * pairs]` f32: the cosines of the first
  /// `pairs` = cos_sin.cols / 2 pairs, then their sines; values beyond 2 * pairs of a head stay as they are.
  virtual void rope(const View& x, size_t head_dim, const ConstView& cos_sin, RopePairing pairing) = 0;
  /// Writes rows of k and v (`[tokens, kv_heads * head_dim]`) to rows at, at + 1, ... of every head, converted to
  /// `dtype` (f32, f16, bf16).
  virtual void store_kv(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype,
                        size_t at) = 0;
  /// rms_norm(), rope() and store_kv() for all that a layer's attention needs, in one step where the device can.
  virtual void prepare_heads(const HeadRows& rows);
  /// to[i] = from[index[i]], converted to the dtype of `to`: the same, or q8_0 or q4_0 where `from` is f32, f16 or
  /// bf16. The last block of a quantised row is filled up with zeros. `index` is host memory; the ranges must not
  /// overlap.
  virtual void gather_rows(const ConstView& from, std::span<const uint32_t> index, const View& to) = 0;
  /// gather_rows() of keys and values for many heads at once, in one step where the device can: rows of `head_dim`
  /// values in the dtype `from` become rows in the dtype `to`.
  virtual void gather_heads(std::span<const HeadGather> heads, DType from, DType to, size_t head_dim);
  /// Softmax attention of every query over all rows that it sees in all segments; where `score` is set, raises log
  /// scores too.
  virtual void attend(const AttendArgs& args) = 0;
  /// Calls without scores that don't depend on each other, as if one by one. Questions over one context come so: what
  /// their calls share need not be read for each of them.
  virtual void attend_together(std::span<const AttendArgs> calls);
  /// places[i] = where the largest of row i of some f32 logits stands: of equal ones the first, NaN and -infinity
  /// never, and what is above the largest float counts as that; logits.cols where there is none. Waits for the device.
  virtual void likeliest(const ConstView& logits, std::span<size_t> places) = 0;
  /// found = those of some f32 logits, `[1, n]`, that are at least as large as the `count`-th largest, by id: of NaN
  /// and -infinity none, and what is above the largest float as that. False where the device has no way that is quicker
  /// than bringing all logits to the host, or too many are equal. Waits for the device.
  virtual bool find_candidates(const ConstView& logits, size_t count, std::vector<Candidate>& found);

  /// For operations that are repeated often; null where the device gains nothing from it.
  virtual std::unique_ptr<Recording> make_recording() { return nullptr; }

 protected:
  /// The rows to multiply, after the norm where there is one.
  ConstView rows_of_input(const LinearInput& in);
};

/// The CPU backend. Throws Error{unsupported} on a processor without AVX2 (x86) or NEON (ARM).
std::unique_ptr<Backend> make_cpu_backend();

/// NVIDIA GPU number `index` of those that CUDA shows. Throws Error{unsupported} where this build, the driver or the
/// GPU can't, Error{memory} where the GPU has no room left; each says what is missing.
std::unique_ptr<Backend> make_cuda_backend(size_t index = 0);

/// By name: "cpu", "cuda" (the first GPU) or "cuda:N". Throws Error{usage} for another name.
std::unique_ptr<Backend> make_backend(std::string_view device);

}  // namespace kvzip
