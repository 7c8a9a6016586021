// Scoring on a GPU: microseconds per chunk of 2,000 tokens and layer, the rate of its products, and what the chunks and
// layers of a 122,880-token document add up to.
#include <string>

#include "bench/cuda_bench.cuh"
#include "kvzip/backend/cuda/score.h"

namespace kvzip::bench {
namespace {

struct Shape {
  const char* name;
  size_t layers;
  size_t kv_heads;
  size_t group;
  size_t head_dim;
};

constexpr size_t kDocument = 32768;
constexpr size_t kSystem = 25;
constexpr size_t kChunk = 2000;
constexpr size_t kTokens = 2030;  // the request, the template's end, the chunk

std::vector<KvRows> rows_in(const DeviceMemory& memory, const Shape& shape, size_t len) {
  std::vector<KvRows> heads;
  for (size_t h = 0; h < shape.kv_heads; ++h) {
    heads.push_back({memory.data() + h * len * shape.head_dim * 2, nullptr, len});
  }
  return heads;
}

void measure(const Shape& shape, DType dtype, DType q_dtype) {
  const size_t heads = shape.kv_heads * shape.group;
  const DeviceMemory document(shape.kv_heads * kDocument * shape.head_dim * 2);
  const DeviceMemory repetition(shape.kv_heads * kTokens * shape.head_dim * 2);
  const size_t q_bytes = q_dtype == DType::f32 ? 4 : 2;
  const DeviceMemory q(kTokens * heads * shape.head_dim * q_bytes);
  const DeviceMemory scores(shape.kv_heads * kChunk * sizeof(float));
  const DeviceMemory workspace(cuda::score_workspace_bytes(kTokens, shape.kv_heads, shape.group, shape.head_dim));
  fill_random(document.data(), document.bytes(), dtype);
  fill_random(repetition.data(), repetition.bytes(), dtype);
  fill_random(q.data(), q.bytes(), DType::bf16);  // two of them side by side are an f32 of the same size

  cuda::ScoreArgs args;
  const std::vector<KvRows> document_rows = rows_in(document, shape, kDocument);
  const std::vector<KvRows> repetition_rows = rows_in(repetition, shape, kTokens);
  args.q = {q.data(), q_dtype, kTokens, heads * shape.head_dim, heads * shape.head_dim * q_bytes};
  args.first_position = args.repetition_position = 122880;
  args.kv_heads = shape.kv_heads;
  args.group = shape.group;
  args.head_dim = shape.head_dim;
  args.scale = 0.1F;
  args.dtype = dtype;
  args.document = document_rows;
  args.repetition = repetition_rows;
  args.request = {kSystem, 0, kChunk, {scores.data(), DType::f32, shape.kv_heads, kChunk, kChunk * sizeof(float)}};
  const size_t calls = 12;
  const double seconds = graph_seconds([&](cudaStream_t stream) {
                           for (size_t i = 0; i < calls; ++i) {
                             args.request.chunk_begin = kSystem + i * kChunk;
                             cuda::raise_scores(args, workspace.data(), stream);
                           }
                         }) /
                         static_cast<double>(calls);
  const double keys = kSystem + 2 * kChunk + (kTokens + 1) / 2.0;  // of both passes
  const double operations = 2.0 * static_cast<double>(heads * kTokens * shape.head_dim) * keys;
  std::printf("%-14s %-5s q %-5s %7.1f us per chunk and layer, %4.0f TFLOP/s; %.2f s for 122,880 tokens\n", shape.name,
              std::string(dtype_name(dtype)).c_str(), std::string(dtype_name(q_dtype)).c_str(), seconds * 1e6,
              operations / seconds * 1e-12, seconds * 62 * static_cast<double>(shape.layers));
}

}  // namespace
}  // namespace kvzip::bench

int main() {
  using namespace kvzip;
  const bench::Shape llama{"llama3.1-8b", 32, 8, 4, 128};
  bench::measure(llama, DType::bf16, DType::f32);
  bench::measure(llama, DType::bf16, DType::bf16);
  bench::measure(llama, DType::f16, DType::f32);
  bench::measure({"qwen2.5-7b", 28, 4, 7, 128}, DType::bf16, DType::f32);
  bench::measure({"llama3.2-1b", 16, 8, 4, 64}, DType::bf16, DType::f32);
  bench::measure({"gemma3-12b", 8, 8, 2, 256}, DType::bf16, DType::f32);
}
