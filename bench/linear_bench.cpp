// Linear layers of SmolLM2-135M: all 30 layers of one token (weights come from memory, not from a cache), the output
// matrix, and single products of many rows. Counters: bytes of weights and floating point operations per second.
//   kvzip_linear_bench [--benchmark_filter=Layers] ; OMP_NUM_THREADS sets the threads
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kvzip/backend/cpu/cpu_backend.h"
#include "kvzip/backend/cpu/ggml_traits.h"
#include "kvzip/tensor/buffer.h"

namespace kvzip {
namespace {

struct Shape {
  size_t out;
  size_t in;
};

/// A weight of some random row, repeated: its values do not matter for speed, its bytes are all there.
Tensor make_weight(Backend& backend, DType dtype, Shape shape) {
  Tensor weight(backend, dtype, shape.out, shape.in);
  std::vector<float> row(shape.in);
  for (size_t i = 0; i < shape.in; ++i) row[i] = static_cast<float>(i * 7919 % 1000) / 500 - 1;
  auto* const rows = static_cast<std::byte*>(weight.view().data);
  ggml_encode_row(dtype, row.data(), rows, shape.in);
  for (size_t i = 1; i < shape.out; ++i) std::memcpy(rows + i * weight.view().stride, rows, weight.view().stride);
  return weight;
}

/// Products that read one input.
struct Group {
  size_t in = 0;
  std::vector<Tensor> weights;
};

/// Layers write to the same few buffers, as a model's do: the rows of one matrix, at most so wide.
constexpr size_t kMostInputs = 1536;
constexpr size_t kMostParts = 3;

class Network {
 public:
  Network(DType dtype, size_t layers, size_t tokens) : tokens_(tokens) {
    for (size_t layer = 0; layer < layers; ++layer) {
      add(dtype, {{576, 576}, {192, 576}, {192, 576}});
      add(dtype, {{576, 576}});
      add(dtype, {{1536, 576}, {1536, 576}});
      add(dtype, {{576, 1536}});
    }
  }
  explicit Network(size_t tokens) : tokens_(tokens) {}

  void add(DType dtype, const std::vector<Shape>& shapes) {
    Group group;
    group.in = shapes[0].in;
    for (const Shape& shape : shapes) {
      group.weights.push_back(make_weight(*backend_, dtype, shape));
      widest_ = std::max(widest_, shape.out);
      bytes_ += static_cast<double>(group.weights.back().bytes());
      operations_ += 2.0 * static_cast<double>(tokens_ * shape.out * shape.in);
    }
    groups_.push_back(std::move(group));
  }

  void run(benchmark::State& state) {
    const Tensor input(*backend_, DType::f32, tokens_, kMostInputs);
    std::memset(input.view().data, 0, input.bytes());
    std::vector<Tensor> outs;
    for (size_t i = 0; i < kMostParts; ++i) outs.emplace_back(*backend_, DType::f32, tokens_, widest_);
    for ([[maybe_unused]] auto _ : state) {
      for (const Group& group : groups_) {
        std::vector<LinearPart> parts;
        for (size_t i = 0; i < group.weights.size(); ++i) {
          const View weight = group.weights[i].view();
          const View out{outs[i].view().data, DType::f32, tokens_, weight.rows, weight.rows * sizeof(float)};
          parts.push_back({weight, nullptr, out, false});
        }
        backend_->linear({input.view().data, DType::f32, tokens_, group.in, group.in * sizeof(float)}, parts);
      }
    }
    using benchmark::Counter;
    state.counters["weights"] = Counter(bytes_, Counter::kIsIterationInvariantRate, Counter::kIs1000);
    state.counters["flop"] = Counter(operations_, Counter::kIsIterationInvariantRate, Counter::kIs1000);
  }

  Backend& backend() { return *backend_; }

 private:
  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  size_t tokens_;
  double bytes_ = 0;
  double operations_ = 0;
  size_t widest_ = 0;
  std::vector<Group> groups_;
};

void layers(benchmark::State& state) { Network(DType::q4_1, 30, static_cast<size_t>(state.range(0))).run(state); }

void layers_and_output(benchmark::State& state) {
  Network network(DType::q4_1, 30, 1);
  network.add(DType::q8_0, {{49152, 576}});
  network.run(state);
}

void layers_exact(benchmark::State& state) {
  Network network(DType::q4_1, 30, static_cast<size_t>(state.range(0)));
  network.backend().set_precision(Precision::exact);
  network.run(state);
}

void product(benchmark::State& state) {
  Network network(static_cast<size_t>(state.range(0)));
  network.add(DType::q4_1, {{static_cast<size_t>(state.range(1)), static_cast<size_t>(state.range(2))}});
  network.run(state);
}

BENCHMARK(layers_and_output)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(layers)
    ->Arg(1)
    ->Arg(2)
    ->Arg(4)
    ->Arg(8)
    ->Arg(16)
    ->Arg(24)
    ->Arg(32)
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Arg(2048)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK(layers_exact)->Arg(1)->Arg(8)->Arg(16)->Arg(1024)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK(product)
    ->ArgNames({"tokens", "out", "in"})
    ->ArgsProduct({{64, 256, 1024, 2048}, {576}, {576}})
    ->ArgsProduct({{64, 256, 1024, 2048}, {192}, {576}})
    ->ArgsProduct({{64, 256, 1024, 2048}, {1536}, {576}})
    ->ArgsProduct({{64, 256, 1024, 2048}, {576}, {1536}})
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();

}  // namespace
}  // namespace kvzip
