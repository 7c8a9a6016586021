// The kernels of one decoded token on a GPU, launched one by one and as a captured graph: what launching costs, and
// what the token's bytes would take at a copy's rate. Random weights and rows; biases and embedding left out.
#include <chrono>
#include <cstring>

#include "bench/cuda_bench.cuh"
#include "bench/cuda_kept.h"
#include "kvzip/backend/cuda/attend_decode.h"
#include "kvzip/backend/cuda/find_largest.h"
#include "kvzip/backend/cuda/linear_row.h"
#include "kvzip/backend/cuda/prepare_heads.h"

namespace kvzip::bench {
namespace {

struct Shape {
  const char* name;
  size_t layers;
  size_t hidden;
  size_t heads;
  size_t kv_heads;
  size_t head_dim;
  size_t feed_forward;
  size_t vocab;
};

constexpr size_t kTail = 64;

class Token {
 public:
  Token(const Shape& shape, size_t context, bool all) : shape_(shape) {
    const size_t q = shape.heads * shape.head_dim, kv = shape.kv_heads * shape.head_dim;
    weights_.emplace_back(matrix(shape.vocab, shape.hidden));
    for (size_t layer = 0; layer < shape.layers; ++layer) {
      for (const auto& [rows, cols] : {std::pair{q, shape.hidden},
                                       {kv, shape.hidden},
                                       {kv, shape.hidden},
                                       {shape.hidden, q},
                                       {shape.feed_forward, shape.hidden},
                                       {shape.feed_forward, shape.hidden},
                                       {shape.hidden, shape.feed_forward}}) {
        weights_.emplace_back(matrix(rows, cols));
      }
      for (size_t head = 0; head < shape.kv_heads; ++head) {
        context_.push_back(rows(all ? context : kept_of_golden(context, layer * shape.kv_heads + head)));
        tail_.push_back(rows(kTail));
      }
    }
    x_ = room(shape.hidden, DType::f32);
    norm_ = room(shape.hidden, DType::f32);
    cos_sin_ = room(shape.head_dim, DType::f32);
    for (View* view : {&q_, &attended_}) *view = room(q, DType::bf16);
    for (View* view : {&k_, &v_}) *view = room(kv, DType::bf16);
    for (View* view : {&gate_, &up_}) *view = room(shape.feed_forward, DType::bf16);
    logits_ = room(shape.vocab, DType::f32);
    likeliest_ = room(2, DType::f32);
    workspace_.reset(
        new DeviceMemory(cuda::attend_decode_workspace_bytes(shape.heads / shape.kv_heads, shape.head_dim)));
    positions_ = {context + kTail - 1};
    expect(cudaDeviceSynchronize());
  }

  double bytes_read() const { return static_cast<double>(bytes_); }

  void launch(cudaStream_t stream) const {
    for (size_t layer = 0; layer < shape_.layers; ++layer) launch_layer(layer, stream);
    cuda::multiply_row(normed(), std::array{LinearPart{weights_[0], nullptr, logits_}}, stream);
    cuda::find_largest(logits_, static_cast<uint64_t*>(likeliest_.data), stream);
  }

 private:
  void launch_layer(size_t layer, cudaStream_t stream) const {
    const ConstView* const w = &weights_[1 + 7 * layer];
    cuda::multiply_row(
        normed(),
        std::array{LinearPart{w[0], nullptr, q_}, LinearPart{w[1], nullptr, k_}, LinearPart{w[2], nullptr, v_}},
        stream);
    const auto heads = [&](const std::vector<KvRows>& all) {
      return std::span(all).subspan(layer * shape_.kv_heads, shape_.kv_heads);
    };
    HeadRows rows{.q = q_, .k = k_, .v = v_, .head_dim = shape_.head_dim, .cos_sin = cos_sin_};
    rows.pairing = RopePairing::halves;
    rows.heads = heads(tail_);
    rows.dtype = DType::bf16;
    cuda::prepare_heads(rows, stream);
    const cuda::DecodeSegment segments[] = {{heads(context_), DType::bf16, false, false, 0},
                                            {heads(tail_), DType::bf16, false, true, positions_[0] + 1 - kTail}};
    cuda::DecodeArgs args;
    args.q = q_;
    args.out = attended_;
    args.kv_heads = shape_.kv_heads;
    args.group = shape_.heads / shape_.kv_heads;
    args.head_dim = shape_.head_dim;
    args.scale = 0.1F;
    args.positions = positions_;
    args.segments = segments;
    args.overlap_previous = true;
    cuda::attend_decode(args, workspace_->data(), stream);
    cuda::multiply_row(ConstView(attended_), std::array{LinearPart{w[3], nullptr, x_, true}}, stream);
    cuda::multiply_row_gated(normed(), {w[4], nullptr, gate_}, {w[5], nullptr, up_}, Activation::silu, stream);
    cuda::multiply_row(ConstView(gate_), std::array{LinearPart{w[6], nullptr, x_, true}}, stream);
  }

  LinearInput normed() const { return {x_, static_cast<const float*>(norm_.data), 1e-5F, View{}}; }

  void* random(size_t bytes, DType dtype) {
    memory_.emplace_back(new DeviceMemory(bytes));
    fill_random(memory_.back()->data(), bytes, dtype);
    return memory_.back()->data();
  }
  ConstView matrix(size_t rows, size_t cols) {
    bytes_ += rows * cols * 2;
    return {random(rows * cols * 2, DType::bf16), DType::bf16, rows, cols, cols * 2};
  }
  KvRows rows(size_t count) {
    bytes_ += count * shape_.head_dim * 4;
    const size_t half = count * shape_.head_dim * 2;
    char* const keys = static_cast<char*>(random(2 * half, DType::bf16));
    return {keys, keys + half, count};
  }
  View room(size_t cols, DType dtype) {
    memory_.emplace_back(new DeviceMemory(cols * 4));
    expect(cudaMemset(memory_.back()->data(), 0x3C, cols * 4));  // small numbers in either type
    return {memory_.back()->data(), dtype, 1, cols, cols * (dtype == DType::f32 ? 4 : 2)};
  }

  Shape shape_;
  size_t bytes_ = 0;
  std::vector<std::unique_ptr<DeviceMemory>> memory_;
  std::vector<ConstView> weights_;  ///< the output's, then q, k, v, o, gate, up, down of each layer
  std::vector<KvRows> context_, tail_;
  View x_, norm_, cos_sin_, q_, k_, v_, attended_, gate_, up_, logits_, likeliest_;
  std::unique_ptr<DeviceMemory> workspace_;
  std::vector<size_t> positions_;
};

/// Median seconds of a token whose kernels are launched one by one, the host waiting for each token.
double launched_seconds(const Token& token) {
  cudaStream_t stream = nullptr;
  expect(cudaStreamCreate(&stream));
  std::vector<double> times;
  for (int i = 0; i < 25; ++i) {
    const auto start = std::chrono::steady_clock::now();
    token.launch(stream);
    expect(cudaStreamSynchronize(stream));
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  expect(cudaStreamDestroy(stream));
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

void measure(const Shape& shape, size_t context, bool all, double copy) {
  const Token token(shape, context, all);
  const double launched = launched_seconds(token);
  const double graph = graph_seconds([&](cudaStream_t stream) { token.launch(stream); }, 15);
  const double floor = token.bytes_read() / copy;
  std::printf("%-14s %7zu %-4s floor %6.3f ms | launched %6.3f ms %5.1f %% | graph %6.3f ms %5.1f %%\n", shape.name,
              context, all ? "all" : "0.3", floor * 1e3, launched * 1e3, floor / launched * 100, graph * 1e3,
              floor / graph * 100);
  std::fflush(stdout);
}

void run() {
  const double copy = copy_rate();
  std::printf("copy: %.0f GB/s. One token: its bytes at that rate, kernels launched one by one, and as a graph\n",
              copy * 1e-9);
  const Shape llama{"llama3.1-8b", 32, 4096, 32, 8, 128, 14336, 128256};
  const Shape qwen{"qwen2.5-7b", 28, 3584, 28, 4, 128, 18944, 152064};
  const Shape small{"smollm2", 30, 576, 9, 3, 64, 1536, 49152};
  for (const bool all : {true, false}) {
    measure(llama, 32768, all, copy);
    measure(llama, 122880, all, copy);
    measure(qwen, 122880, all, copy);
    measure(small, 4096, all, copy);
  }
}

}  // namespace
}  // namespace kvzip::bench

int main() { kvzip::bench::run(); }
