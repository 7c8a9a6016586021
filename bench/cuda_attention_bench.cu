// Decode attention on a GPU: bytes of keys and values per second, as a share of a copy's rate in the same run. Every
// case is a graph of as many layers as a model has, each with its own rows, so that nothing is served from the cache.
#include <cstring>
#include <string>

#include "bench/cuda_bench.cuh"
#include "bench/cuda_kept.h"
#include "kvzip/backend/cuda/attend_decode.h"

namespace kvzip::bench {
namespace {

enum class Kept { all, golden, one_of_all, only_one };

struct Shape {
  const char* name;
  size_t layers;
  size_t kv_heads;
  size_t group;
  size_t head_dim;
};

struct Case {
  Shape shape;
  size_t context;
  Kept kept;
  DType dtype = DType::bf16;
  size_t questions = 1;
  size_t tokens = 1;
  size_t tail = 64;
};

size_t rows_kept(const Case& c, size_t layer, size_t head) {
  constexpr size_t kSystem = 20;
  if (c.kept == Kept::all) return c.context;
  if (c.kept == Kept::one_of_all || c.kept == Kept::only_one) {
    if (layer % c.shape.kv_heads == head) return c.context;
    const double heads = static_cast<double>(c.shape.kv_heads);
    const double others = c.kept == Kept::only_one ? 0 : (0.3 * heads - 1) / (heads - 1);
    return kSystem + static_cast<size_t>(others * static_cast<double>(c.context));
  }
  return kSystem + kept_of_golden(c.context, layer * c.shape.kv_heads + head);
}

/// All layers' rows, and the launches that attend to them.
class Work {
 public:
  explicit Work(const Case& c) : case_(c), memory_(lay_out(nullptr)) {
    fill_random(memory_.data(), memory_.bytes(), c.dtype);
    lay_out(memory_.data());
    tail_.reset(new DeviceMemory(2 * c.questions * c.tail * c.shape.head_dim * 2 * c.shape.kv_heads));
    fill_random(tail_->data(), tail_->bytes(), DType::bf16);
    const size_t row = c.shape.head_dim * 2;
    for (size_t i = 0; i < c.questions * c.shape.kv_heads; ++i) {
      char* rows = tail_->data() + 2 * i * c.tail * row;
      tail_heads_.push_back({rows, rows + c.tail * row, c.tail});
    }
    lines_ = c.questions * c.tokens;
    values_ = c.shape.kv_heads * c.shape.group * c.shape.head_dim;
    q_.reset(new DeviceMemory(lines_ * values_ * 2));
    fill_random(q_->data(), q_->bytes(), DType::bf16);
    out_.reset(new DeviceMemory(lines_ * values_ * 2));
    workspace_.reset(new DeviceMemory(cuda::attend_decode_workspace_bytes(lines_ * c.shape.group, c.shape.head_dim)));
    positions_.assign(c.questions, c.context + c.tail - c.tokens);
  }

  double bytes_read() const { return static_cast<double>(bytes_); }

  void launch(cudaStream_t stream, bool overlap) const {
    for (size_t layer = 0; layer < case_.shape.layers; ++layer) {
      const cuda::DecodeSegment segments[] = {
          {std::span(heads_).subspan(layer * case_.shape.kv_heads, case_.shape.kv_heads), case_.dtype, false, false, 0},
          {tail_heads_, DType::bf16, true, true, case_.context}};
      cuda::DecodeArgs args;
      args.q = {q_->data(), DType::bf16, lines_, values_, values_ * 2};
      args.out = {out_->data(), DType::bf16, lines_, values_, values_ * 2};
      args.questions = case_.questions;
      args.tokens = case_.tokens;
      args.kv_heads = case_.shape.kv_heads;
      args.group = case_.shape.group;
      args.head_dim = case_.shape.head_dim;
      args.scale = 0.1F;
      args.positions = positions_;
      args.segments = segments;
      args.overlap_previous = overlap && layer > 0;
      cuda::attend_decode(args, workspace_->data(), stream);
    }
  }

 private:
  /// Sets heads_ within `memory`; returns the bytes that they take.
  size_t lay_out(char* memory) {
    const DTypeInfo block = dtype_info(case_.dtype);
    const size_t row = (case_.shape.head_dim + block.block_values - 1) / block.block_values * block.block_bytes;
    heads_.clear();
    size_t at = 0;
    bytes_ = 0;
    for (size_t i = 0; i < case_.shape.layers * case_.shape.kv_heads; ++i) {
      const size_t rows = rows_kept(case_, i / case_.shape.kv_heads, i % case_.shape.kv_heads);
      // A multiple of the period in which fill_random() repeats.
      const size_t bytes = (rows * row + 4895) / 4896 * 4896;
      heads_.push_back({memory + at, memory + at + bytes, rows});
      at += 2 * bytes;
      bytes_ += 2 * rows * row;
    }
    bytes_ += case_.shape.layers * case_.questions * case_.shape.kv_heads * case_.tail * case_.shape.head_dim * 4;
    return at;
  }

  Case case_;
  std::vector<KvRows> heads_;
  size_t bytes_ = 0;
  size_t lines_ = 0;
  size_t values_ = 0;
  DeviceMemory memory_;
  std::vector<KvRows> tail_heads_;
  std::unique_ptr<DeviceMemory> tail_;
  std::unique_ptr<DeviceMemory> q_;
  std::unique_ptr<DeviceMemory> out_;
  std::unique_ptr<DeviceMemory> workspace_;
  std::vector<size_t> positions_;
};

void measure(const Case& c, double copy) {
  const Work work(c);
  const double layers = static_cast<double>(c.shape.layers);
  const char* kept[] = {"all", "0.3", "0.3, one", "one"};
  std::printf("%-14s %7zu %-8s %-5s %2zu x %2zu ", c.shape.name, c.context, kept[static_cast<int>(c.kept)],
              std::string(dtype_name(c.dtype)).c_str(), c.questions, c.tokens);
  for (const bool overlap : {false, true}) {
    const double seconds = graph_seconds([&](cudaStream_t stream) { work.launch(stream, overlap); });
    const double rate = work.bytes_read() / seconds;
    std::printf(" | %7.1f us %6.0f GB/s %5.1f %%", seconds / layers * 1e6, rate * 1e-9, rate / copy * 100);
  }
  std::printf("\n");
  std::fflush(stdout);
}

void run() {
  const double copy = copy_rate();
  std::printf("copy: %.0f GB/s. Per layer, one launch after the other | overlapping the one before\n", copy * 1e-9);
  const Shape llama{"llama3.1-8b", 32, 8, 4, 128};
  const Shape qwen{"qwen2.5-7b", 28, 4, 7, 128};
  const Shape gemma{"gemma3-12b", 16, 8, 2, 256};
  const Shape small{"llama3.2-1b", 16, 8, 4, 64};
  for (const Shape& shape : {llama, qwen}) {
    for (const Kept kept : {Kept::all, Kept::golden, Kept::one_of_all, Kept::only_one})
      measure({shape, 122880, kept}, copy);
  }
  measure({llama, 32768, Kept::all}, copy);
  measure({llama, 32768, Kept::golden}, copy);
  for (const DType dtype : {DType::f16, DType::q8_0, DType::q4_0}) measure({llama, 122880, Kept::all, dtype}, copy);
  measure({llama, 122880, Kept::golden, DType::q8_0}, copy);
  for (const size_t tokens : {4, 16}) measure({llama, 122880, Kept::golden, DType::bf16, 1, tokens}, copy);
  for (const size_t questions : {4, 8, 16}) measure({llama, 122880, Kept::golden, DType::bf16, questions}, copy);
  measure({qwen, 122880, Kept::golden, DType::bf16, 16}, copy);
  for (const Kept kept : {Kept::all, Kept::golden}) measure({small, 122880, kept}, copy);
  for (const Kept kept : {Kept::all, Kept::golden}) measure({gemma, 122880, kept}, copy);
}

}  // namespace
}  // namespace kvzip::bench

int main() { kvzip::bench::run(); }
