#include "kvzip/backend/cuda/attend_dense.h"

#include <cudnn_frontend.h>
#include <dlfcn.h>

#include <map>
#include <string>
#include <tuple>
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

enum Uid : int64_t { kQ = 1, kK, kV, kOut, kLogSums };

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

/// All that a graph depends on: type, tokens, rows, heads, KV heads, head_dim, strides of q, of out and between the
/// heads of k and of v, scale, causal, window, log sums.
using Shape = std::tuple<DType, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, int64_t, float,
                         bool, int64_t, bool>;

/// Values between neighbouring heads.
int64_t spacing(const void* first, const void* second, size_t value_bytes) {
  return (static_cast<const std::byte*>(second) - static_cast<const std::byte*>(first)) /
         static_cast<int64_t>(value_bytes);
}

Shape shape_of(const DenseArgs& args) {
  const size_t bytes = row_bytes(args.q.dtype, 1);
  const bool one = args.heads.size() == 1;
  const int64_t k = one ? 0 : spacing(args.heads[0].k, args.heads[1].k, bytes);
  const int64_t v = one ? 0 : spacing(args.heads[0].v, args.heads[1].v, bytes);
  return {args.q.dtype,
          args.q.rows,
          args.heads[0].len,
          args.q.cols / args.head_dim,
          args.heads.size(),
          args.head_dim,
          args.q.stride / bytes,
          args.out.stride / bytes,
          k,
          v,
          args.scale,
          args.causal,
          args.window,
          args.log_sums != nullptr};
}

struct Graph {
  fe::graph::Graph graph;
  size_t workspace_bytes = 0;
};

std::unique_ptr<Graph> build(cudnnHandle_t handle, const Shape& shape) {
  const auto& [dtype, tokens, rows, heads, kv_heads, dim, q_stride, out_stride, k_stride, v_stride, scale, causal,
               window, log_sums] = shape;
  auto result = std::make_unique<Graph>();
  fe::graph::Graph& graph = result->graph;
  graph.set_io_data_type(dtype == DType::f16 ? fe::DataType_t::HALF : fe::DataType_t::BFLOAT16)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  const auto tensor = [&](Uid uid, int64_t head_count, int64_t len, int64_t head_stride, int64_t row_stride) {
    return graph.tensor(
        fe::graph::Tensor_attributes()
            .set_uid(uid)
            .set_dim({1, head_count, len, dim})
            .set_stride({std::max(head_count * head_stride, len * row_stride), head_stride, row_stride, 1}));
  };
  const auto q = tensor(kQ, heads, tokens, dim, q_stride);
  const auto k = tensor(kK, kv_heads, rows, kv_heads == 1 ? rows * dim : k_stride, dim);
  const auto v = tensor(kV, kv_heads, rows, kv_heads == 1 ? rows * dim : v_stride, dim);
  auto options = fe::graph::SDPA_attributes().set_generate_stats(log_sums).set_attn_scale(scale);
  if (causal) {
    options.set_diagonal_alignment(fe::DiagonalAlignment_t::BOTTOM_RIGHT).set_diagonal_band_right_bound(0);
    if (window > 0) options.set_diagonal_band_left_bound(static_cast<int>(window));
  }
  const auto [out, stats] = graph.sdpa(q, k, v, options);
  out->set_output(true)
      .set_uid(kOut)
      .set_dim({1, heads, tokens, dim})
      .set_stride({tokens * out_stride, dim, out_stride, 1});
  if (log_sums) {
    stats->set_output(true)
        .set_uid(kLogSums)
        .set_data_type(fe::DataType_t::FLOAT)
        .set_dim({1, heads, tokens, 1})
        .set_stride({heads * tokens, tokens, 1, 1});
  }
  fe_check(graph.build(handle, {fe::HeurMode_t::A}), "preparing attention");
  int64_t workspace = 0;
  fe_check(graph.get_workspace_size(workspace), "preparing attention");
  result->workspace_bytes = static_cast<size_t>(workspace);
  return result;
}

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
  if ((dtype != DType::f16 && dtype != DType::bf16) || head_dim % 8 != 0 || head_dim > 256) return false;
  const auto aligned = [](const void* at) { return reinterpret_cast<uintptr_t>(at) % kAlignment == 0; };
  if (heads.empty() || heads[0].len == 0 || !aligned(heads[0].k) || !aligned(heads[0].v)) return false;
  const size_t bytes = row_bytes(dtype, 1);
  for (size_t h = 1; h < heads.size(); ++h) {
    const bool even = spacing(heads[h - 1].k, heads[h].k, bytes) == spacing(heads[0].k, heads[1].k, bytes) &&
                      spacing(heads[h - 1].v, heads[h].v, bytes) == spacing(heads[0].v, heads[1].v, bytes);
    if (!even || heads[h].len != heads[0].len || !aligned(heads[h].k) || !aligned(heads[h].v)) return false;
    if (heads[h].k < heads[0].k || heads[h].v < heads[0].v) return false;
  }
  return true;
}

DenseAttention::DenseAttention(DeviceMemory& memory, cudaStream_t stream) : stream_(stream), workspace_(memory) {}

DenseAttention::~DenseAttention() = default;

void DenseAttention::run(const DenseArgs& args) {
  if (cudnn_ == nullptr) cudnn_ = std::make_unique<Cudnn>(stream_);
  Graph& graph = cudnn_->graph_for(shape_of(args));
  std::unordered_map<int64_t, void*> pointers = {
      {kQ, const_cast<void*>(args.q.data)}, {kK, args.heads[0].k}, {kV, args.heads[0].v}, {kOut, args.out.data}};
  if (args.log_sums != nullptr) pointers[kLogSums] = args.log_sums;
  void* const workspace = graph.workspace_bytes == 0 ? nullptr : workspace_.at_least(graph.workspace_bytes);
  fe_check(graph.graph.execute(cudnn_->handle, pointers, workspace), "attention");
}

}  // namespace kvzip::cuda
