#include "kvzip/backend/cuda/attend_dense.h"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <algorithm>
#include <compare>
#include <functional>
#include <limits>
#include <map>
#include <numeric>
#include <string>
#include <unordered_map>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace cudnn_frontend {
void* cudnn_dlhandle = nullptr;  // where the header-only library looks up cuDNN's functions
}

namespace kvzip::cuda {
namespace {

namespace fe = cudnn_frontend;

constexpr const char* kLibrary = "libcudnn.so.9";
constexpr size_t kMostGraphs = 1024;
constexpr size_t kAlignment = 16;

enum Uid : int64_t {
  kQ = 1,
  kK,
  kV,
  kOut,
  kLogSums,
  kQueryLengths,
  kRowLengths,
  kKeyPlaces,
  kValuePlaces,
  kQueryPlaces,
  kOutPlaces
};

/// The most rows that ragged heads are said to have come in steps of this, so that growing heads stay of one shape.
constexpr int64_t kRaggedRows = int64_t{1} << 20;

void fe_check(fe::error_t status, const char* what) {
  if (status.is_good()) return;
  std::string message = status.get_message();
  for (char& c : message) c = c == '\n' ? ' ' : c;
  throw Error(ErrorCode::unsupported, std::string("device cuda: cuDNN: ") + what + " failed: " + message);
}

cudnnHandle_t open_cudnn(cudaStream_t stream) {
  if (fe::cudnn_dlhandle == nullptr) fe::cudnn_dlhandle = dlopen(kLibrary, RTLD_NOW | RTLD_LOCAL);
  if (fe::cudnn_dlhandle == nullptr) {
    throw Error(ErrorCode::unsupported, std::string("device cuda: ") + kLibrary +
                                            " not found (cuDNN 9; LD_LIBRARY_PATH may name its folder): " + dlerror());
  }
  cudnnHandle_t handle = nullptr;
  if (fe::detail::create_handle(&handle) != CUDNN_STATUS_SUCCESS ||
      fe::detail::set_stream(handle, stream) != CUDNN_STATUS_SUCCESS) {
    throw Error(ErrorCode::unsupported, std::string("device cuda: ") + kLibrary + " can't be used on this GPU");
  }
  return handle;
}

/// All that a graph depends on. A batch of one has all heads; where they are ragged, every KV head with its group is an
/// entry of the batch. Strides are in values: `k_stride` and `v_stride` between the heads, the others between rows.
struct Shape {
  DType dtype;
  bool ragged;
  int64_t batch, heads, kv_heads, tokens, rows, dim;
  int64_t q_stride, out_stride, k_stride, v_stride;
  float scale;
  bool causal;
  int64_t window;
  bool log_sums;

  auto operator<=>(const Shape&) const = default;
};

/// Values between two addresses.
int64_t spacing(const void* first, const void* second, size_t value_bytes) {
  return (static_cast<const std::byte*>(second) - static_cast<const std::byte*>(first)) /
         static_cast<int64_t>(value_bytes);
}

/// The lowest addresses of keys and of values.
KvRows start_of(std::span<const KvRows> heads) {
  KvRows start{};
  for (const KvRows& head : heads) {
    if (head.len == 0) continue;
    if (start.k == nullptr || head.k < start.k) start.k = head.k;
    if (start.v == nullptr || head.v < start.v) start.v = head.v;
  }
  return start;
}

Shape shape_of(const DenseArgs& args) {
  const size_t bytes = row_bytes(args.q.dtype, 1);
  Shape shape{.dtype = args.q.dtype,
              .ragged = args.places != nullptr,
              .batch = 1,
              .heads = static_cast<int64_t>(args.q.cols / args.head_dim),
              .kv_heads = static_cast<int64_t>(args.heads.size()),
              .tokens = static_cast<int64_t>(args.q.rows),
              .rows = static_cast<int64_t>(args.heads[0].len),
              .dim = static_cast<int64_t>(args.head_dim),
              .q_stride = static_cast<int64_t>(args.q.stride / bytes),
              .out_stride = static_cast<int64_t>(args.out.stride / bytes),
              .k_stride = 0,
              .v_stride = 0,
              .scale = args.scale,
              .causal = args.causal,
              .window = static_cast<int64_t>(args.window),
              .log_sums = args.log_sums != nullptr};
  if (shape.ragged) {
    const auto longest = static_cast<int64_t>(std::ranges::max(args.heads, {}, &KvRows::len).len);
    shape.rows = (longest + kRaggedRows - 1) / kRaggedRows * kRaggedRows;
    shape.batch = shape.kv_heads;
    shape.heads /= shape.batch;
    shape.kv_heads = 1;
  } else if (shape.kv_heads > 1) {
    shape.k_stride = spacing(args.heads[0].k, args.heads[1].k, bytes);
    shape.v_stride = spacing(args.heads[0].v, args.heads[1].v, bytes);
  }
  return shape;
}

struct Graph {
  fe::graph::Graph graph;
  size_t workspace_bytes = 0;
};

using Tensor = std::shared_ptr<fe::graph::Tensor_attributes>;

/// Numbers in device memory.
Tensor add_numbers(fe::graph::Graph& graph, Uid uid, int64_t count) {
  return graph.tensor(fe::graph::Tensor_attributes()
                          .set_uid(uid)
                          .set_dim({count, 1, 1, 1})
                          .set_stride({1, 1, 1, 1})
                          .set_data_type(fe::DataType_t::INT32));
}

/// `places` and `uid` of them: none where the rows lie evenly.
Tensor add_rows(fe::graph::Graph& graph, Uid uid, const Shape& shape, int64_t head_stride, Uid places) {
  const int64_t all = shape.kv_heads == 1 ? shape.rows * shape.dim : head_stride;
  auto rows = fe::graph::Tensor_attributes()
                  .set_uid(uid)
                  .set_dim({shape.batch, shape.kv_heads, shape.rows, shape.dim})
                  .set_stride({std::max(shape.kv_heads * all, shape.rows * shape.dim), all, shape.dim, 1});
  if (shape.ragged) rows.set_ragged_offset(add_numbers(graph, places, shape.batch + 1));
  return graph.tensor(rows);
}

std::unique_ptr<Graph> build(cudnnHandle_t handle, const Shape& shape) {
  auto result = std::make_unique<Graph>();
  fe::graph::Graph& graph = result->graph;
  graph.set_io_data_type(shape.dtype == DType::f16 ? fe::DataType_t::HALF : fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const std::vector<int64_t> dims = {shape.batch, shape.heads, shape.tokens, shape.dim};
  const auto strides = [&](int64_t row) {
    return std::vector<int64_t>{shape.ragged ? shape.heads * shape.dim : shape.tokens * row, shape.dim, row, 1};
  };
  auto queries = fe::graph::Tensor_attributes().set_uid(kQ).set_dim(dims).set_stride(strides(shape.q_stride));
  if (shape.ragged) queries.set_ragged_offset(add_numbers(graph, kQueryPlaces, shape.batch + 1));
  const Tensor q = graph.tensor(queries);
  const Tensor k = add_rows(graph, kK, shape, shape.k_stride, kKeyPlaces);
  const Tensor v = add_rows(graph, kV, shape, shape.v_stride, kValuePlaces);
  auto options = fe::graph::SDPA_attributes().set_generate_stats(shape.log_sums).set_attn_scale(shape.scale);
  if (shape.ragged) {
    options.set_padding_mask(true)
        .set_seq_len_q(add_numbers(graph, kQueryLengths, shape.batch))
        .set_seq_len_kv(add_numbers(graph, kRowLengths, shape.batch));
  }
  if (shape.causal) {
    options.set_diagonal_alignment(fe::DiagonalAlignment_t::BOTTOM_RIGHT).set_diagonal_band_right_bound(0);
    if (shape.window > 0) options.set_diagonal_band_left_bound(static_cast<int>(shape.window));
  }
  const auto [out, stats] = graph.sdpa(q, k, v, options);
  out->set_output(true).set_uid(kOut).set_dim(dims).set_stride(strides(shape.out_stride));
  if (shape.ragged) out->set_ragged_offset(add_numbers(graph, kOutPlaces, shape.batch + 1));
  if (shape.log_sums) {
    stats->set_output(true)
        .set_uid(kLogSums)
        .set_data_type(fe::DataType_t::FLOAT)
        .set_dim({shape.batch, shape.heads, shape.tokens, 1})
        .set_stride({shape.heads * shape.tokens, shape.tokens, 1, 1});
  }
  fe_check(graph.build(handle, {fe::HeurMode_t::A}), "preparing attention");
  int64_t workspace = 0;
  fe_check(graph.get_workspace_size(workspace), "preparing attention");
  result->workspace_bytes = static_cast<size_t>(workspace);
  return result;
}

bool can_attend(DType dtype, size_t head_dim) {
  return (dtype == DType::f16 || dtype == DType::bf16) && head_dim % 8 == 0 && head_dim <= 256;
}

bool is_aligned(const void* at) { return reinterpret_cast<uintptr_t>(at) % kAlignment == 0; }

}  // namespace

struct DenseAttention::Cudnn {
  explicit Cudnn(cudaStream_t stream) : handle(open_cudnn(stream)) {}
  Cudnn(const Cudnn&) = delete;
  Cudnn& operator=(const Cudnn&) = delete;
  ~Cudnn() {
    graphs.clear();
    fe::detail::destroy_handle(handle);
  }

  Graph& graph_for(const Shape& shape) {
    if (const auto found = graphs.find(shape); found != graphs.end()) return *found->second;
    if (graphs.size() >= kMostGraphs) graphs.clear();
    return *graphs.emplace(shape, build(handle, shape)).first->second;
  }

  cudnnHandle_t handle;
  std::map<Shape, std::unique_ptr<Graph>> graphs;
};

bool is_dense(std::span<const KvRows> heads, DType dtype, size_t head_dim) {
  if (!can_attend(dtype, head_dim)) return false;
  if (heads.empty() || heads[0].len == 0 || !is_aligned(heads[0].k) || !is_aligned(heads[0].v)) return false;
  const size_t bytes = row_bytes(dtype, 1);
  for (size_t h = 1; h < heads.size(); ++h) {
    const bool even = spacing(heads[h - 1].k, heads[h].k, bytes) == spacing(heads[0].k, heads[1].k, bytes) &&
                      spacing(heads[h - 1].v, heads[h].v, bytes) == spacing(heads[0].v, heads[1].v, bytes);
    if (!even || heads[h].len != heads[0].len || !is_aligned(heads[h].k) || !is_aligned(heads[h].v)) return false;
    if (heads[h].k < heads[0].k || heads[h].v < heads[0].v) return false;
  }
  return true;
}

bool is_ragged(std::span<const KvRows> heads, DType dtype, size_t head_dim) {
  if (!can_attend(dtype, head_dim)) return false;
  const KvRows start = start_of(heads);
  if (start.k == nullptr || !is_aligned(start.k) || !is_aligned(start.v)) return false;
  const auto dim = static_cast<int64_t>(head_dim);
  const auto reachable = [&](const void* first, const void* rows, size_t len) {
    const int64_t values = spacing(first, rows, row_bytes(dtype, 1));
    return is_aligned(rows) && values % dim == 0 &&
           values + static_cast<int64_t>(len) * dim <= std::numeric_limits<int32_t>::max();
  };
  return std::ranges::all_of(heads, [&](const KvRows& head) {
    return head.len == 0 || (reachable(start.k, head.k, head.len) && reachable(start.v, head.v, head.len));
  });
}

RaggedPlaces::RaggedPlaces(const int32_t* places, size_t kv_heads)
    : tokens(places),
      lengths(tokens + kv_heads),
      keys(lengths + kv_heads),
      values(keys + kv_heads + 1),
      queries(values + kv_heads + 1),
      outs(queries + kv_heads + 1),
      turns(outs + kv_heads + 1) {}

std::vector<int32_t> places_of(std::span<const KvRows> heads, const ConstView& q, const View& out, size_t head_dim) {
  const KvRows start = start_of(heads);
  std::vector<size_t> order(heads.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, std::greater(), [&](size_t h) { return heads[h].len; });
  std::vector<int32_t> places;
  const auto add = [&](size_t number) { places.push_back(static_cast<int32_t>(number)); };
  for (const size_t h : order) add(heads[h].len == 0 ? 0 : q.rows);
  for (const size_t h : order) add(heads[h].len);
  for (const auto rows : {&KvRows::k, &KvRows::v}) {
    size_t end = 0;
    for (const size_t h : order) {
      const int64_t at = heads[h].len == 0 ? 0 : spacing(start.*rows, heads[h].*rows, row_bytes(q.dtype, 1));
      add(static_cast<size_t>(at));
      end = std::max(end, static_cast<size_t>(at) + heads[h].len * head_dim);
    }
    add(end);
  }
  const size_t group_cols = q.cols / heads.size();
  for (const size_t stride : {q.stride, out.stride}) {
    for (const size_t h : order) add(h * group_cols);
    add(q.rows * (stride / row_bytes(q.dtype, 1)));
  }
  const size_t turns = places.size();
  places.resize(turns + heads.size());
  for (size_t turn = 0; turn < order.size(); ++turn) places[turns + order[turn]] = static_cast<int32_t>(turn);
  return places;
}

DenseAttention::DenseAttention(DeviceMemory& memory, cudaStream_t stream) : stream_(stream), workspace_(memory) {}

DenseAttention::~DenseAttention() = default;

void DenseAttention::run(const DenseArgs& args) {
  if (cudnn_ == nullptr) cudnn_ = std::make_unique<Cudnn>(stream_);
  Graph& graph = cudnn_->graph_for(shape_of(args));
  const KvRows start = args.places == nullptr ? args.heads[0] : start_of(args.heads);
  std::unordered_map<int64_t, void*> pointers = {
      {kQ, const_cast<void*>(args.q.data)}, {kK, start.k}, {kV, start.v}, {kOut, args.out.data}};
  if (args.log_sums != nullptr) pointers[kLogSums] = args.log_sums;
  if (args.places != nullptr) {
    const RaggedPlaces places(args.places, args.heads.size());
    const auto bind = [&](Uid uid, const int32_t* numbers) { pointers[uid] = const_cast<int32_t*>(numbers); };
    bind(kQueryLengths, places.tokens);
    bind(kRowLengths, places.lengths);
    bind(kKeyPlaces, places.keys);
    bind(kValuePlaces, places.values);
    bind(kQueryPlaces, places.queries);
    bind(kOutPlaces, places.outs);
  }
  void* const workspace = graph.workspace_bytes == 0 ? nullptr : workspace_.at_least(graph.workspace_bytes);
  fe_check(graph.graph.execute(cudnn_->handle, pointers, workspace), "attention");
}

}  // namespace kvzip::cuda
