#include "kvzip/cli/bench_ceilings.h"

#include <algorithm>
#include <array>
#include <random>
#include <vector>

#include "kvzip/cli/engine.h"

namespace kvzip::cli {
namespace {

constexpr size_t kRuns = 5;

/// The least seconds of a few runs, after one that only warms up.
template <class Work>
double least_seconds(Backend& backend, const Work& work) {
  double least = 0;
  for (size_t run = 0; run <= kRuns; ++run) {
    backend.synchronize();
    const Stopwatch watch;
    work();
    backend.synchronize();
    if (run == 1 || (run > 1 && watch.seconds() < least)) least = watch.seconds();
  }
  return least;
}

double copy_rate(Backend& backend, size_t bytes) {
  const Buffer from(backend, bytes);
  const Buffer to(backend, bytes);
  const std::vector<std::byte> some(size_t{1} << 20U, std::byte{0x5A});
  for (size_t at = 0; at + some.size() <= bytes; at += some.size()) {
    backend.upload(static_cast<std::byte*>(from.data()) + at, some.data(), some.size());
  }
  return 2 * static_cast<double>(bytes) / least_seconds(backend, [&] { backend.copy(to.data(), from.data(), bytes); });
}

/// A square matrix of random values: zeros would be multiplied faster.
Tensor random_matrix(Backend& backend, DType dtype, size_t size) {
  std::mt19937 random(1);
  std::vector<float> values(size * size);
  for (float& value : values) value = static_cast<float>(random()) * 0x1p-31F - 1.0F;
  const Tensor plain(backend, DType::f32, size, size);
  backend.upload(plain.view().data, values.data(), values.size() * sizeof(float));
  Tensor result(backend, dtype, size, size);
  backend.convert(plain.view(), result.view());
  return result;
}

double product_rate(Backend& backend, size_t size) {
  const DType activations = backend.activation_type();
  const Tensor x = random_matrix(backend, activations, size);
  const Tensor weight = random_matrix(backend, backend.weight_type(DType::bf16), size);
  const Tensor out(backend, activations, size, size);
  const std::array parts{LinearPart{weight.view(), nullptr, out.view(), false}};
  const auto n = static_cast<double>(size);
  return 2 * n * n * n / least_seconds(backend, [&] { backend.linear(x.view(), parts); });
}

double values_of(const ConstView& matrix) {
  return static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
}

}  // namespace

Ceilings measure_ceilings(Backend& backend) {
  const bool on_cpu = backend.name() == "cpu";
  return {copy_rate(backend, size_t{1} << (on_cpu ? 28U : 30U)), product_rate(backend, on_cpu ? 1024 : 8192)};
}

double prefill_flop(const Model& model, size_t tokens) {
  const ModelConfig& config = model.config();
  const auto n = static_cast<double>(tokens);
  double flop = 0;
  for (size_t layer = 0; layer < config.layers; ++layer) {
    const LayerWeights& weights = model.weights().layers[layer];
    for (const ConstView& matrix :
         {weights.q, weights.k, weights.v, weights.o, weights.gate, weights.up, weights.down}) {
      flop += 2 * n * values_of(matrix);
    }
    const auto window = static_cast<double>(config.windows[layer]);
    const double seen = window == 0 || n < window ? n / 2 : window;  // keys per query, on average
    flop += 4 * n * seen * static_cast<double>(config.heads * config.head_dim);
  }
  return flop;
}

double decode_bytes(const Model& model, size_t kv_bytes) {
  const Weights& weights = model.weights();
  // Of the embedding a token reads one row; where it is the output matrix too, what the device has of that.
  const size_t embedding = weights.embedding.rows * weights.embedding.stride;
  const size_t output = model.config().tied_output ? weights.output.rows * weights.output.stride : 0;
  return static_cast<double>(weights.bytes - embedding + output + kv_bytes);
}

}  // namespace kvzip::cli
