#include "kvzip/cli/bench_ceilings.h"

#include <algorithm>
#include <array>
#include <random>
#include <span>
#include <vector>

#include "kvzip/cli/engine.h"

namespace kvzip::cli {
namespace {

constexpr size_t kRuns = 5;
constexpr double kSeconds = 0.3;

/// The least seconds of a few runs, after one that only warms up; of short ones more, so that some meet no other work.
template <class Work>
double least_seconds(Backend& backend, const Work& work) {
  double least = 0;
  const Stopwatch all;
  for (size_t run = 0; run <= kRuns || all.seconds() < kSeconds; ++run) {
    backend.synchronize();
    const Stopwatch watch;
    work();
    backend.synchronize();
    const double seconds = watch.seconds();
    if (run == 1 || (run > 1 && seconds < least)) least = seconds;
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

/// Random values: zeros would be multiplied faster.
Tensor random_matrix(Backend& backend, DType dtype, size_t rows, size_t cols) {
  std::mt19937 random(1);
  std::vector<float> values(rows * cols);
  for (float& value : values) value = static_cast<float>(random()) * 0x1p-31F - 1.0F;
  const Tensor plain(backend, DType::f32, rows, cols);
  backend.upload(plain.view().data, values.data(), values.size() * sizeof(float));
  Tensor result(backend, dtype, rows, cols);
  backend.convert(plain.view(), result.view());
  return result;
}

/// Of `rows` inputs of `in` values by a matrix that makes `out` of each.
struct ProductShape {
  size_t rows;
  size_t in;
  size_t out;
};
// Shapes of layers when a document is read: a feed-forward part of a small model and one of a larger. Which of them a
// processor multiplies faster depends on its caches. A GPU needs large ones to be busy.
constexpr std::array kCpuShapes = {ProductShape{1024, 576, 3072}, ProductShape{1024, 2048, 4096}};
constexpr std::array kGpuShapes = {ProductShape{8192, 8192, 8192}};

double product_rate(Backend& backend, const ProductShape& shape) {
  const DType activations = backend.activation_type();
  const Tensor x = random_matrix(backend, activations, shape.rows, shape.in);
  const Tensor weight = random_matrix(backend, backend.weight_type(DType::bf16), shape.out, shape.in);
  const Tensor out(backend, activations, shape.rows, shape.out);
  const std::array parts{LinearPart{weight.view(), nullptr, out.view(), false}};
  const double flop =
      2 * static_cast<double>(shape.rows) * static_cast<double>(shape.in) * static_cast<double>(shape.out);
  return flop / least_seconds(backend, [&] { backend.linear(x.view(), parts); });
}

double best_product_rate(Backend& backend, std::span<const ProductShape> shapes) {
  double best = 0;
  for (const ProductShape& shape : shapes) best = std::max(best, product_rate(backend, shape));
  return best;
}

double values_of(const ConstView& matrix) {
  return static_cast<double>(matrix.rows) * static_cast<double>(matrix.cols);
}

}  // namespace

Ceilings measure_ceilings(Backend& backend) {
  const bool on_cpu = backend.name() == "cpu";
  return {copy_rate(backend, size_t{1} << (on_cpu ? 28U : 30U)),
          best_product_rate(backend, on_cpu ? std::span<const ProductShape>(kCpuShapes) : kGpuShapes)};
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
