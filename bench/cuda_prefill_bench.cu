// Prefill attention on a GPU: a chunk of queries over all rows up to it, causal, with log sums, by cuDNN as the CUDA
// backend calls it and, where its headers are given (-DKVZIP_FLASHINFER=FOLDER), by FlashInfer's kernel for Hopper.
// TFLOP/s count visible pairs only: 4 x head_dim x heads for each.
#include <cmath>
#include <string>

#include "bench/cuda_bench.cuh"
#include "bench/flashinfer_prefill.h"
#include "kvzip/backend/cuda/attend_dense.h"

namespace kvzip::bench {
namespace {

struct Case {
  const char* shape;
  size_t heads;
  size_t kv_heads;
  size_t head_dim;
  size_t tokens;
  size_t rows;
};

double operations(const Case& c) {
  const double tokens = static_cast<double>(c.tokens);
  const double pairs = tokens * static_cast<double>(c.rows - c.tokens) + tokens * (tokens + 1) / 2;
  return 4 * pairs * static_cast<double>(c.head_dim * c.heads);
}

__global__ void difference_kernel(const uint16_t* a, const uint16_t* b, size_t count, float* most) {
  float mine = 0;
  for (size_t i = blockIdx.x * size_t{blockDim.x} + threadIdx.x; i < count; i += size_t{gridDim.x} * blockDim.x) {
    const float x = __uint_as_float(uint32_t{a[i]} << 16);
    const float y = __uint_as_float(uint32_t{b[i]} << 16);
    mine = fmaxf(mine, isfinite(x) && isfinite(y) ? fabsf(x - y) : INFINITY);
  }
  atomicMax(reinterpret_cast<int*>(most), __float_as_int(mine));  // not negative: ordered as their bits are
}

/// The largest difference between two bf16 arrays.
float difference(const DeviceMemory& a, const DeviceMemory& b) {
  const DeviceMemory most(sizeof(float));
  expect(cudaMemset(most.data(), 0, sizeof(float)));
  difference_kernel<<<1024, 256>>>(reinterpret_cast<const uint16_t*>(a.data()),
                                   reinterpret_cast<const uint16_t*>(b.data()), a.bytes() / 2,
                                   reinterpret_cast<float*>(most.data()));
  float value = 0;
  expect(cudaMemcpy(&value, most.data(), sizeof(float), cudaMemcpyDeviceToHost));
  return value;
}

void measure(const Case& c, cudaStream_t stream) {
  const size_t width = c.heads * c.head_dim;
  const DeviceMemory q(c.tokens * width * 2);
  const DeviceMemory k(c.kv_heads * c.rows * c.head_dim * 2);
  const DeviceMemory v(k.bytes());
  const DeviceMemory cudnn_out(q.bytes());
  const DeviceMemory sums(c.heads * c.tokens * sizeof(float));
  for (const DeviceMemory* memory : {&q, &k, &v}) fill_random(memory->data(), memory->bytes(), DType::bf16);
  std::vector<KvRows> heads;
  for (size_t head = 0; head < c.kv_heads; ++head) {
    const size_t offset = head * c.rows * c.head_dim * 2;
    heads.push_back({k.data() + offset, v.data() + offset, c.rows});
  }
  cuda::DenseArgs args;
  args.q = {q.data(), DType::bf16, c.tokens, width, width * 2};
  args.heads = heads;
  args.head_dim = c.head_dim;
  args.scale = 1 / std::sqrt(static_cast<float>(c.head_dim));
  args.causal = true;
  args.out = {cudnn_out.data(), DType::bf16, c.tokens, width, width * 2};
  args.log_sums = reinterpret_cast<float*>(sums.data());
  kvzip::DeviceMemory pool(stream);
  cuda::DenseAttention attention(pool, stream);
  const double rate = operations(c) * 1e-12;
  const double cudnn = rate / median_seconds(stream, [&] { attention.run(args); });
  std::printf("| %s, %zu of %zu | %.0f |", c.shape, c.tokens, c.rows, cudnn);
  if (has_flashinfer(c.head_dim)) {
    const DeviceMemory out(q.bytes());
    const FlashinferPrefill call{q.data(), k.data(), v.data(),   out.data(), args.log_sums, c.tokens,
                                 c.rows,   c.heads,  c.kv_heads, c.head_dim, args.scale};
    const double flashinfer = rate / median_seconds(stream, [&] { expect(run_flashinfer(call, stream)); });
    std::printf(" %.0f | %.2f | %.4f |", flashinfer, cudnn / flashinfer, difference(cudnn_out, out));
  }
  std::printf("\n");
  std::fflush(stdout);
}

int run() {
  cudaDeviceProp device{};
  expect(cudaGetDeviceProperties(&device, 0));
  cudaStream_t stream = nullptr;
  expect(cudaStreamCreate(&stream));
  std::printf("%s, bf16, TFLOP/s\n\n| shape, queries of rows | cuDNN |", device.name);
  if (has_flashinfer(128)) std::printf(" FlashInfer | ratio | largest difference |");
  std::printf("\n| --- | --- |%s\n", has_flashinfer(128) ? " --- | --- | --- |" : "");
  for (const size_t rows : {4096, 8192, 16384, 32768, 65536, 122880}) {
    measure({"Llama-3.1-8B", 32, 8, 128, std::min<size_t>(rows, 8192), rows}, stream);
  }
  for (const size_t rows : {8192, 32768, 122880}) measure({"Qwen2.5-7B", 28, 4, 128, 8192, rows}, stream);
  for (const size_t rows : {4096, 8192}) measure({"SmolLM2-135M", 9, 3, 64, 4096, rows}, stream);
  for (const size_t rows : {8192, 32768}) measure({"Gemma-3-12B", 16, 8, 256, 8192, rows}, stream);
  expect(cudaStreamDestroy(stream));
  return 0;
}

}  // namespace
}  // namespace kvzip::bench

int main() {
  try {
    return kvzip::bench::run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
