// Models that several devices share, one thread each, beside the same model on one device: scores, what is kept, logits
// and answers. On CPU always; on GPUs where there are two, which KVZIP_REQUIRE_GPUS insists on.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>

#include "kvzip/base/parallel.h"
#include "kvzip/kvzip.h"
#include "kvzip/model/shapes.h"
#include "kvzip/stages/shared_heads.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using Open = std::function<ModelFiles()>;

Open tiny(const std::string& family) {
  return [family] { return open_model_files(KVZIP_SOURCE_DIR "/tests/golden/tiny/" + family); };
}

/// body(backend, group, rank) on each of the devices at the same time, without a group where there is one; rethrows the
/// first failure.
void on_ranks(const std::vector<std::string>& devices, Precision precision,
              const std::function<void(Backend& backend, Group* group, size_t rank)>& body) {
  RankMemory memory(devices.size());
  std::mutex lock;
  std::exception_ptr failure;
  const auto run = [&](size_t rank) {
    try {
      set_thread_count(1);
      const auto backend = make_backend(devices[rank]);
      backend->set_precision(precision);
      const auto group = devices.size() > 1 ? make_group(*backend, memory, rank) : nullptr;
      body(*backend, group.get(), rank);
    } catch (...) {
      const std::scoped_lock guard(lock);
      if (!failure) failure = std::current_exception();
      memory.fail(1, "");
    }
  };
  std::vector<std::thread> threads;
  for (size_t rank = 0; rank < devices.size(); ++rank) threads.emplace_back(run, rank);
  for (std::thread& thread : threads) thread.join();
  if (failure) std::rethrow_exception(failure);
}

/// The same with a model.
void on_devices(const std::vector<std::string>& devices, const Open& open, const ModelOptions& options,
                const std::function<void(const Model& model, size_t rank)>& body) {
  const Precision precision = options.weights == WeightMode::f32 ? Precision::exact : Precision::fast;
  on_ranks(devices, precision, [&](Backend& backend, Group* group, size_t rank) {
    ModelOptions shared = options;
    shared.group = group;
    body(Model::from_files(open(), backend, shared), rank);
  });
}

/// What a model makes of a document: everything that must not depend on how many devices share it.
struct Outcome {
  Scores scores;
  Keep keep;
  std::vector<std::vector<uint32_t>> kept;  ///< `[layers * kv_heads]` positions, ascending; of the device's own heads
  size_t bytes = 0;                         ///< of the context, of all devices
  std::vector<float> logits;                ///< after each of a few tokens
  std::vector<TokenId> answer;
  std::vector<std::vector<TokenId>> together;
};

std::vector<TokenId> some_tokens(size_t count, size_t step, size_t vocab) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((11 + i * i * step) % vocab);
  return ids;
}

/// Repetitions of `chunk` tokens behind a made-up instruction.
std::vector<RepeatInput> inputs_for(const std::vector<TokenId>& document, size_t chunk) {
  std::vector<RepeatInput> inputs;
  for (size_t begin = 0; begin < document.size(); begin += chunk) {
    const auto first = document.begin() + static_cast<std::ptrdiff_t>(begin);
    RepeatInput input{begin, std::min(chunk, document.size() - begin), some_tokens(3 + begin % 4, 17, 251)};
    input.ids.insert(input.ids.end(), first, first + static_cast<std::ptrdiff_t>(input.len));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

/// Greedy choices of several conversations at once.
std::vector<std::vector<TokenId>> continue_together(const Model& model, const ContextCut& cut, DType kv_type) {
  constexpr size_t kConversations = 3;
  constexpr size_t kTokens = 4;
  std::vector<Tail> tails;
  std::vector<Tail*> pointers;
  tails.reserve(kConversations);
  std::vector<TokenId> tokens;
  for (size_t i = 0; i < kConversations; ++i) {
    tails.emplace_back(model.backend(), model.cache_shape(kv_type), cut.context().read_tokens());
    pointers.push_back(&tails.back());
    tokens.push_back(static_cast<TokenId>(40 + 7 * i));
  }
  Forward forward(model);
  std::vector<std::vector<TokenId>> chosen;
  for (size_t step = 0; step < kTokens; ++step) {
    const auto places = forward.likeliest(
        {.tokens = tokens, .tails = pointers, .past = past_of(cut), .logits = Logits::all}, model.spelled_tokens());
    std::ranges::transform(places, tokens.begin(), [](size_t place) { return static_cast<TokenId>(place); });
    chosen.push_back(tokens);
  }
  return chosen;
}

struct Task {
  size_t tokens = 90;
  size_t chunk = 37;
  size_t batch = 16;
  DType kv_type = DType::f32;
  double ratio = 0.3;
};

Outcome outcome_of(const Model& model, const Task& task) {
  const size_t vocab = model.config().vocab;
  Reading reading = prefill_ids(model, some_tokens(5, 3, vocab), some_tokens(task.tokens, 7, vocab),
                                {.kv_type = task.kv_type, .batch = task.batch, .progress = {}});
  Outcome outcome;
  const std::vector<RepeatInput> inputs = inputs_for(reading.document, task.chunk);
  outcome.scores = score(model, reading, inputs, {.batch = task.batch, .progress = {}});
  outcome.keep = select(outcome.scores, Level::pair, task.ratio).keep;
  const Context context = compress(model, std::move(reading), outcome.scores, outcome.keep);
  outcome.bytes = sum_of_devices(model, context.bytes());
  for (size_t layer = 0; layer < context.scored_layers().size(); ++layer) {
    for (size_t head = 0; head < context.shape().kv_heads; ++head) {
      const auto order = context.order(layer, head);
      outcome.kept.emplace_back(order.begin(), order.end());
      std::ranges::sort(outcome.kept.back());
    }
  }
  const ContextCut cut(context, context.held());
  Conversation talk(model, past_of(cut), context.read_tokens(), task.kv_type);
  outcome.logits = talk.logits(some_tokens(5, 29, vocab));
  outcome.answer = talk.continue_ids(some_tokens(3, 13, vocab), {.sampling = {}, .max_tokens = 8, .on_text = {}}).ids;
  outcome.together = continue_together(model, cut, task.kv_type);
  return outcome;
}

double largest_difference(std::span<const float> a, std::span<const float> b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    largest = std::max(largest, std::fabs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  return largest;
}

void expect_same(const Outcome& alone, const std::vector<Outcome>& shared, double tolerance) {
  for (size_t rank = 0; rank < shared.size(); ++rank) {
    const Outcome& one = shared[rank];
    EXPECT_EQ(one.scores.kv_heads, alone.scores.kv_heads);
    EXPECT_LT(largest_difference(one.scores.values, alone.scores.values), tolerance) << "rank " << rank;
    EXPECT_LT(largest_difference(one.logits, alone.logits), tolerance * 10) << "rank " << rank;
    EXPECT_EQ(one.scores.values, shared[0].scores.values) << "all devices have the same scores";
    EXPECT_EQ(one.logits, shared[0].logits) << "and the same logits, to the bit";
    EXPECT_EQ(one.keep.rows, alone.keep.rows);
    EXPECT_EQ(one.bytes, alone.bytes);
    EXPECT_EQ(one.answer, alone.answer);
    EXPECT_EQ(one.together, alone.together);
    const size_t own = alone.scores.kv_heads / shared.size();
    ASSERT_EQ(one.kept.size() * shared.size(), alone.kept.size());
    for (size_t i = 0; i < one.kept.size(); ++i) {
      const size_t whole = i / own * alone.scores.kv_heads + rank * own + i % own;
      EXPECT_EQ(one.kept[i], alone.kept[whole]) << "layer and head " << i << " of rank " << rank;
    }
  }
}

Outcome run_alone(const std::string& device, const Open& open, const ModelOptions& options, const Task& task) {
  Outcome alone;
  on_devices({device}, open, options, [&](const Model& model, size_t) { alone = outcome_of(model, task); });
  return alone;
}

std::vector<Outcome> run_shared(const std::vector<std::string>& devices, const Open& open, const ModelOptions& options,
                                const Task& task) {
  std::vector<Outcome> shared(devices.size());
  on_devices(devices, open, options, [&](const Model& model, size_t rank) { shared[rank] = outcome_of(model, task); });
  return shared;
}

constexpr const char* kFamilies[] = {"llama",  "mistral", "qwen2",   "qwen3",
                                     "gemma3", "gpt2",    "swiftkv", "swiftkv_across"};
const ModelOptions kExact{.weights = WeightMode::f32};

class GroupTest : public testing::Test {
 protected:
  /// Sums and gathers on `devices`, of sizes that fill no block, with the sums in double beside them.
  static void expect_exchanges(const std::vector<std::string>& devices, double tolerance) {
    std::vector<std::vector<float>> sums(devices.size()), gathered(devices.size());
    for (const size_t rows : {1, 3, 700}) {
      constexpr size_t kCols = 2051;
      on_ranks(devices, Precision::exact, [&](Backend& backend, Group* group, size_t rank) {
        const std::vector<float> own = values_of(rank, rows * kCols);
        const Tensor x(backend, DType::f32, rows, kCols), all(backend, DType::f32, rows * devices.size(), kCols);
        const size_t bytes = own.size() * sizeof(float);
        backend.upload(x.view().data, own.data(), bytes);
        group->all_gather(x.view().data, all.view().data, bytes);
        group->all_reduce(x.view());
        sums[rank].resize(own.size());
        gathered[rank].resize(own.size() * devices.size());
        backend.download(sums[rank].data(), x.view().data, bytes);
        backend.download(gathered[rank].data(), all.view().data, bytes * devices.size());
        EXPECT_EQ(group->gather(rank * 10 + 3), numbers_of(devices.size()));
      });
      std::vector<float> expected;
      for (size_t rank = 0; rank < devices.size(); ++rank) {
        const std::vector<float> own = values_of(rank, rows * kCols);
        expected.insert(expected.end(), own.begin(), own.end());
      }
      for (size_t i = 0; i < rows * kCols; ++i) {
        double sum = 0;
        for (size_t rank = 0; rank < devices.size(); ++rank)
          sum += static_cast<double>(expected[rank * rows * kCols + i]);
        ASSERT_NEAR(sums[0][i], sum, tolerance) << i;
      }
      for (size_t rank = 0; rank < devices.size(); ++rank) {
        EXPECT_EQ(sums[rank], sums[0]) << "the same bits on all";
        EXPECT_EQ(gathered[rank], expected);
      }
    }
  }

 private:
  static std::vector<float> values_of(size_t rank, size_t count) {
    std::vector<float> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = std::sin(static_cast<float>(i * (rank + 2) % 8191));
    return values;
  }
  static std::vector<uint64_t> numbers_of(size_t ranks) {
    std::vector<uint64_t> numbers;
    for (size_t rank = 0; rank < ranks; ++rank) numbers.push_back(rank * 10 + 3);
    return numbers;
  }
};

TEST_F(GroupTest, CpusSumAndGather) {
  expect_exchanges({"cpu", "cpu"}, 1e-6);
  expect_exchanges({"cpu", "cpu", "cpu"}, 1e-6);
}

class SharedModelTest : public testing::TestWithParam<const char*> {};

TEST_P(SharedModelTest, TwoCpusComputeWhatOneDoes) {
  const Outcome alone = run_alone("cpu", tiny(GetParam()), kExact, {});
  expect_same(alone, run_shared({"cpu", "cpu"}, tiny(GetParam()), kExact, {}), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Families, SharedModelTest, testing::ValuesIn(kFamilies),
                         [](const auto& family) { return std::string(family.param); });

TEST(SharedModelsTest, FourDevicesShareFourHeads) {
  const Outcome alone = run_alone("cpu", tiny("gpt2"), kExact, {});
  expect_same(alone, run_shared({"cpu", "cpu", "cpu", "cpu"}, tiny("gpt2"), kExact, {}), 1e-5);
}

// Quantised matrices divided by rows and by columns, and embeddings that are the output matrix too.
TEST(SharedModelsTest, ThreeDevicesShareAQuantisedModel) {
  const Open open = [] { return open_model_files(default_model_path()); };
  Task task{.tokens = 150, .chunk = 80, .batch = 64};
  expect_same(run_alone("cpu", open, kExact, task), run_shared({"cpu", "cpu", "cpu"}, open, kExact, task), 1e-4);

  task.kv_type = DType::f16;
  const Outcome alone = run_alone("cpu", open, {}, task);
  const std::vector<Outcome> shared = run_shared({"cpu", "cpu", "cpu"}, open, {}, task);
  // Activations are rounded to eight bits on their way into quantised products, where a last bit of a sum can tip one.
  for (const Outcome& one : shared) {
    EXPECT_EQ(one.logits, shared[0].logits);
    EXPECT_EQ(one.answer, shared[0].answer);
    EXPECT_NEAR(one.keep.ratio(), alone.keep.ratio(), 1e-4);
    double error = 0, size = 0;
    for (size_t i = 0; i < alone.logits.size(); ++i) {
      error += std::pow(one.logits[i] - alone.logits[i], 2);
      size += std::pow(alone.logits[i], 2);
    }
    EXPECT_LT(std::sqrt(error / size), 0.02);
  }
}

void expect_refused(const std::vector<std::string>& devices, const Open& open, const std::string& why) {
  try {
    on_devices(devices, open, {}, [](const Model&, size_t) {});
    FAIL() << "no error: " << why;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find(why), std::string::npos) << error.what();
  }
}

TEST(SharedModelsTest, WhatCantBeDividedIsRefused) {
  expect_refused({"cpu", "cpu", "cpu"}, tiny("llama"), "2 KV heads can't be divided evenly among 3 devices");
  const Open smollm2 = [] { return open_model_files(default_model_path()); };
  expect_refused({"cpu", "cpu"}, smollm2, "3 KV heads can't be divided evenly among 2 devices");
  const auto odd_width = [] {
    ModelFiles files = tiny("llama")();
    files.config.feed_forward = 127;
    return files;
  };
  expect_refused({"cpu", "cpu"}, odd_width, "127 values of feed-forward width");
}

TEST(SharedModelsTest, OtherMethodsOfScoringAreRefused) {
  EXPECT_THROW(on_devices({"cpu", "cpu"}, tiny("llama"), kExact,
                          [](const Model& model, size_t) {
                            const Reading reading =
                                prefill_ids(model, {}, some_tokens(20, 7, 251), {.kv_type = DType::f32});
                            score_by(method_by_name("snapkv"), model, reading);
                          }),
               Error);
}

TEST(SharedModelsTest, AFailureOnOneDeviceEndsTheOthers) {
  try {
    on_devices({"cpu", "cpu"}, tiny("llama"), kExact, [](const Model& model, size_t rank) {
      if (rank == 1) throw Error(ErrorCode::device, "this device is broken");
      outcome_of(model, {});
    });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "this device is broken");
  }
}

class SharedByGpusTest : public GroupTest {
 protected:
  void SetUp() override {
    try {
      make_backend("cuda:1");
    } catch (const Error& error) {
      if (std::getenv("KVZIP_REQUIRE_GPUS") != nullptr) throw;
      GTEST_SKIP() << error.what();
    }
  }
};

TEST_F(SharedByGpusTest, GpusSumAndGather) { expect_exchanges({"cuda:0", "cuda:1"}, 1e-6); }

TEST_F(SharedByGpusTest, TinyModelsAreTheSameOnOneGpuAndOnTwo) {
  for (const char* family : kFamilies) {
    SCOPED_TRACE(family);
    const Outcome alone = run_alone("cuda:1", tiny(family), kExact, {});
    expect_same(alone, run_shared({"cuda:0", "cuda:1"}, tiny(family), kExact, {}), 1e-4);
  }
}

/// The share of the pairs that one device keeps which the devices of `shared` keep too.
double overlap(const Outcome& alone, const std::vector<Outcome>& shared) {
  const size_t heads = alone.scores.kv_heads, own = heads / shared.size();
  size_t kept = 0, common = 0;
  for (size_t rank = 0; rank < shared.size(); ++rank) {
    for (size_t i = 0; i < shared[rank].kept.size(); ++i) {
      const auto& theirs = alone.kept[i / own * heads + rank * own + i % own];
      std::vector<uint32_t> both;
      std::ranges::set_intersection(shared[rank].kept[i], theirs, std::back_inserter(both));
      kept += theirs.size();
      common += both.size();
    }
  }
  return static_cast<double>(common) / static_cast<double>(kept);
}

// Random weights give scores and logits that are close to each other, of which the last bit of a sum may turn two
// round.
TEST_F(SharedByGpusTest, ALargerOneIsNearlyTheSame) {
  const Open open = [] { return random_model_files("llama3.2-1b", 8192); };
  for (const bool exact : {true, false}) {
    const ModelOptions options{.weights = exact ? WeightMode::f32 : WeightMode::stored};
    const Task task{.tokens = 3000, .chunk = 2000, .batch = 2048, .kv_type = exact ? DType::f32 : DType::bf16};
    const Outcome alone = run_alone("cuda", open, options, task);
    const std::vector<Outcome> shared = run_shared({"cuda:0", "cuda:1"}, open, options, task);
    EXPECT_EQ(shared[0].scores.values, shared[1].scores.values);
    EXPECT_EQ(shared[0].logits, shared[1].logits);
    EXPECT_EQ(shared[0].answer, shared[1].answer);
    EXPECT_GT(overlap(alone, shared), exact ? 0.9999 : 0.95);
    if (!exact) continue;
    EXPECT_LT(largest_difference(shared[0].scores.values, alone.scores.values), 1e-3);
    EXPECT_LT(largest_difference(shared[0].logits, alone.logits), 1e-2);
  }
}

}  // namespace
}  // namespace kvzip
