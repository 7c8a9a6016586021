// Attention and scoring at the shapes of SmolLM2 (9 query heads, 3 KV heads of 64, 30 layers) and Gemma 3 270M (4, 1 of
// 256, 18). Every layer has memory of its own, as in a model, so that caches do not flatter. Counters: bytes of keys
// and values read, and floating-point operations of visible query-key pairs, per second.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include "kvzip/backend/cpu/attention.h"

namespace kvzip {
namespace {

struct Model {
  size_t layers;
  size_t heads;
  size_t kv_heads;
  size_t head_dim;
};
constexpr Model kSmollm2{30, 9, 3, 64};
constexpr Model kGemma3{18, 4, 1, 256};

/// Rows of keys and values, one allocation per layer and head. All dtypes hold f16 numbers (values or scales) at even
/// places and any bytes do elsewhere, so that random halves of size 0.5 to 1 make rows of each.
class Cache {
 public:
  Cache(const Model& model, const std::vector<size_t>& lens, DType dtype = DType::f16) : heads_(model.layers) {
    std::mt19937 random(1);
    std::vector<uint16_t> pool(1 << 16);
    for (uint16_t& value : pool) value = static_cast<uint16_t>((random() & 0x83FF) | 0x3800);
    const size_t row = padded_row_bytes(dtype, model.head_dim);
    for (auto& layer : heads_) {
      for (const size_t len : lens) {
        KvRows rows{nullptr, nullptr, len};
        for (void** data : {&rows.k, &rows.v}) {
          memory_.emplace_back(len * row / sizeof(uint16_t));
          for (uint16_t& value : memory_.back()) value = pool[random() % pool.size()];
          *data = memory_.back().data();
        }
        layer.push_back(rows);
        bytes_ += 2 * len * row;
      }
    }
  }

  std::span<const KvRows> layer(size_t index) const { return heads_[index]; }
  size_t bytes() const { return bytes_; }

 private:
  std::vector<std::vector<uint16_t>> memory_;
  std::vector<std::vector<KvRows>> heads_;
  size_t bytes_ = 0;
};

/// Queries and outputs of one layer's call.
struct Batch {
  Batch(const Model& model, size_t tokens, size_t position) : q(tokens * model.heads * model.head_dim), out(q.size()) {
    std::mt19937 random(2);
    std::normal_distribution<float> normal;
    for (float& value : q) value = normal(random);
    const size_t cols = model.heads * model.head_dim;
    args.q = {q.data(), DType::f32, tokens, cols, cols * sizeof(float)};
    args.out = {out.data(), DType::f32, tokens, cols, cols * sizeof(float)};
    args.first_position = position;
    args.kv_heads = model.kv_heads;
    args.head_dim = model.head_dim;
    args.scale = 1 / std::sqrt(static_cast<float>(model.head_dim));
  }

  std::vector<float> q;
  std::vector<float> out;
  AttendArgs args;
};

void report(benchmark::State& state, double bytes, double operations) {
  using benchmark::Counter;
  state.counters["bytes"] = Counter(bytes, Counter::kIsIterationInvariantRate, Counter::kIs1000);
  state.counters["flop"] = Counter(operations, Counter::kIsIterationInvariantRate, Counter::kIs1000);
}

/// All layers of `tokens` tokens over a cache of (depth * percent / 100) rows a head, unequal between heads unless 100
/// %.
void decode(benchmark::State& state, const Model& model, DType dtype) {
  const auto depth = static_cast<size_t>(state.range(0));
  const auto percent = static_cast<size_t>(state.range(1));
  const auto tokens = static_cast<size_t>(state.range(2));
  std::vector<size_t> lens(model.kv_heads, depth * percent / 100);
  if (percent < 100 && lens.size() > 1) {
    lens.back() += lens.front() * 8 / 10;
    lens.front() -= lens.front() * 8 / 10;
  }
  const Cache cache(model, lens, dtype);
  Batch batch(model, tokens, depth);
  for (auto _ : state) {
    for (size_t layer = 0; layer < model.layers; ++layer) {
      const Segment segment{cache.layer(layer), dtype, false, 0};
      batch.args.segments = {&segment, 1};
      attend_cpu(batch.args, Precision::fast);
    }
  }
  const size_t rows = std::accumulate(lens.begin(), lens.end(), size_t{0}) * model.layers;
  report(state, static_cast<double>(cache.bytes()),
         4 * static_cast<double>(rows * model.head_dim * tokens * model.heads / model.kv_heads));
}

/// All layers of a causal prefill of one batch.
void prefill(benchmark::State& state, const Model& model, Precision precision) {
  const auto tokens = static_cast<size_t>(state.range(0));
  const Cache cache(model, std::vector<size_t>(model.kv_heads, tokens));
  Batch batch(model, tokens, 0);
  for (auto _ : state) {
    for (size_t layer = 0; layer < model.layers; ++layer) {
      const Segment segment{cache.layer(layer), DType::f16, true, 0};
      batch.args.segments = {&segment, 1};
      attend_cpu(batch.args, precision);
    }
  }
  const auto pairs = static_cast<double>(tokens * (tokens + 1) / 2);
  report(state, static_cast<double>(cache.bytes()),
         4 * pairs * static_cast<double>(model.heads * model.head_dim * model.layers));
}

/// All layers of the pass that repeats a chunk of 2000 tokens over a document of 4096, with scores or without.
void repeat(benchmark::State& state, const Model& model, Precision precision, bool scored) {
  constexpr size_t kDocument = 4096;
  constexpr size_t kChunk = 2000;
  constexpr size_t kTokens = kChunk + 20;
  const Cache document(model, std::vector<size_t>(model.kv_heads, kDocument));
  const Cache repetition(model, std::vector<size_t>(model.kv_heads, kTokens));
  Batch batch(model, kTokens, kDocument);
  std::vector<float> log_score(model.kv_heads * kChunk, -std::numeric_limits<float>::infinity());
  const ScoreRequest request{
      20, 1020, kChunk, {log_score.data(), DType::f32, model.kv_heads, kChunk, kChunk * sizeof(float)}};
  if (scored) batch.args.score = &request;
  for (auto _ : state) {
    for (size_t layer = 0; layer < model.layers; ++layer) {
      const Segment segments[] = {{document.layer(layer), DType::f16, false, 0},
                                  {repetition.layer(layer), DType::f16, true, kDocument}};
      batch.args.segments = segments;
      attend_cpu(batch.args, precision);
    }
  }
  const double pairs = static_cast<double>(kTokens) * (kDocument + (kTokens + 1) / 2.0);
  report(state, static_cast<double>(document.bytes() + repetition.bytes()),
         4 * pairs * static_cast<double>(model.heads * model.head_dim * model.layers));
}

void decode_sizes(benchmark::internal::Benchmark* benchmark) {
  for (const int64_t depth : {1024, 4096, 7936}) {
    benchmark->Args({depth, 100, 1})->Args({depth, 30, 1});
  }
  benchmark->Args({4096, 100, 4})->Args({4096, 100, 20});
  benchmark->ArgNames({"depth", "percent", "tokens"})->Unit(benchmark::kMillisecond)->UseRealTime();
}

void prefill_sizes(benchmark::internal::Benchmark* benchmark) {
  benchmark->Arg(512)->Arg(2048)->Arg(4096)->ArgName("tokens")->Unit(benchmark::kMillisecond)->UseRealTime();
}

BENCHMARK_CAPTURE(decode, smollm2_f16, kSmollm2, DType::f16)->Apply(decode_sizes);
BENCHMARK_CAPTURE(decode, smollm2_q8_0, kSmollm2, DType::q8_0)->Apply(decode_sizes);
BENCHMARK_CAPTURE(decode, smollm2_q4_0, kSmollm2, DType::q4_0)->Apply(decode_sizes);
BENCHMARK_CAPTURE(decode, gemma3_f16, kGemma3, DType::f16)->Apply(decode_sizes);
BENCHMARK_CAPTURE(decode, gemma3_q8_0, kGemma3, DType::q8_0)->Apply(decode_sizes);
BENCHMARK_CAPTURE(decode, gemma3_q4_0, kGemma3, DType::q4_0)->Apply(decode_sizes);
BENCHMARK_CAPTURE(prefill, smollm2_fast, kSmollm2, Precision::fast)->Apply(prefill_sizes);
BENCHMARK_CAPTURE(prefill, smollm2_exact, kSmollm2, Precision::exact)->Apply(prefill_sizes);
BENCHMARK_CAPTURE(prefill, gemma3_fast, kGemma3, Precision::fast)->Apply(prefill_sizes);
BENCHMARK_CAPTURE(repeat, smollm2_fast, kSmollm2, Precision::fast, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(repeat, smollm2_fast_scored, kSmollm2, Precision::fast, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(repeat, smollm2_exact, kSmollm2, Precision::exact, false)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();
BENCHMARK_CAPTURE(repeat, smollm2_exact_scored, kSmollm2, Precision::exact, true)
    ->Unit(benchmark::kMillisecond)
    ->UseRealTime();

}  // namespace
}  // namespace kvzip
