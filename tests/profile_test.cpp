// Profiles: what is counted in a pass against closed formulas, and what `kvzip profile` prints and writes.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "kvzip/backend/profiled_backend.h"
#include "kvzip/model/forward.h"
#include "tests/cli_process.h"
#include "tests/hf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using nlohmann::json;

struct Sum {
  size_t calls = 0;
  double bytes = 0;
  double flop = 0;
};

std::map<std::string, Sum> sums(const ProfiledBackend& backend) {
  std::map<std::string, Sum> sums;
  for (const OperationCall& call : backend.calls()) {
    Sum& sum = sums[std::string(call.name)];
    ++sum.calls;
    sum.bytes += call.cost.bytes;
    sum.flop += call.cost.flop;
  }
  return sums;
}

TEST(ProfiledBackend, CountsAPassOfATinyLlama) {
  // tiny/llama: 4 layers, hidden 64, 4 heads and 2 KV heads of 16, feed-forward 128, vocabulary 320, all in f32.
  constexpr double kTokens = 37, kLayers = 4, kHidden = 64, kKv = 32, kWide = 128, kVocab = 320, kHeads = 4, kDim = 16;
  ProfiledBackend backend(make_cpu_backend());
  const Model model = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", backend);
  std::vector<TokenId> tokens(37);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * 7 % 320);
  Tail tail(backend, model.cache_shape(DType::f16), 0);
  Forward forward(model);
  backend.restart();
  const std::vector<float> logits = [&] {
    const auto found = forward.run({.tokens = tokens, .tail = &tail, .logits = Logits::all});
    return std::vector<float>(found.begin(), found.end());
  }();
  auto found = sums(backend);

  EXPECT_EQ(found["attend"].calls, 4U);
  EXPECT_EQ(found["attend"].flop, kLayers * 4 * kDim * kHeads * kTokens * (kTokens + 1) / 2);
  EXPECT_EQ(found["attend"].bytes, kLayers * (2 * 4 * kTokens * kHidden + 2 * 2 * kTokens * kKv));
  const double norm = 4 * kTokens * kHidden;
  EXPECT_EQ(found["linear"].calls, 4U * 3 + 1);
  EXPECT_EQ(found["linear"].flop,
            kLayers * (2 * kTokens * kHidden * (kHidden + 2 * kKv) + norm +   // q, k, v
                       2 * kTokens * kHidden * kHidden + kTokens * kHidden +  // o, and the sum
                       2 * kTokens * kWide * kHidden + kTokens * kHidden) +   // down, and the sum
                2 * kTokens * kHidden * kVocab +
                norm);
  EXPECT_EQ(found["gated_linear"].flop, kLayers * (2 * kTokens * kHidden * 2 * kWide + norm + 5 * kTokens * kWide));
  EXPECT_EQ(found["prepare_heads"].calls, 4U);
  EXPECT_EQ(found["prepare_heads"].flop, kLayers * 6 * kTokens * (kHidden + kKv) / 2);
  EXPECT_EQ(found["prepare_heads"].bytes,
            kLayers * (4 * kTokens * kDim + 2 * 4 * kTokens * kHidden + 2 * kTokens * kKv * (4 + 2)));
  EXPECT_EQ(found["download"].bytes, 2 * 4 * kTokens * kVocab);
  EXPECT_EQ(found["embed"].bytes, 2 * 4 * kTokens * kHidden);

  // What is around a backend changes nothing of what it computes.
  const auto plain = make_cpu_backend();
  const Model same = Model::load(KVZIP_SOURCE_DIR "/tests/golden/tiny/llama", *plain);
  Tail other(*plain, same.cache_shape(DType::f16), 0);
  Forward plain_forward(same);
  const auto expected = plain_forward.run({.tokens = tokens, .tail = &other, .logits = Logits::all});
  EXPECT_EQ(logits, std::vector<float>(expected.begin(), expected.end()));
}

TEST(ProfiledBackend, CallsFollowEachOther) {
  ProfiledBackend backend(make_cpu_backend());
  Tensor a(backend, DType::f32, 5, 7), b(backend, DType::f32, 5, 7);
  const std::vector<float> ones(35, 1);
  backend.restart();
  backend.upload(a.view().data, ones.data(), 35 * sizeof(float));
  backend.upload(b.view().data, ones.data(), 35 * sizeof(float));
  backend.add(a.view(), b.view());
  ASSERT_EQ(backend.calls().size(), 3U);
  double end = 0;
  for (const OperationCall& call : backend.calls()) {
    EXPECT_GE(call.begin, end);
    EXPECT_GE(call.seconds, 0);
    end = call.begin + call.seconds;
  }
  EXPECT_GE(backend.now(), end);
  backend.restart();
  EXPECT_TRUE(backend.calls().empty());
}

class ProfileCommand : public testing::Test {
 protected:
  ProfileCommand() { write_bytes(folder_.file("note.txt"), "The keeper is Ada Lind. Her cat is called Pepper.\n"); }
  ProcessResult profile(std::vector<std::string> more) const {
    more.insert(more.begin(), {KVZIP_BINARY_DIR "/bin/kvzip", "profile", folder_.file("note.txt"), "-q", "-n", "4"});
    return run_process({.arguments = std::move(more), .standard_input = ""});
  }

  TempFolder folder_;
};

TEST_F(ProfileCommand, ItsTraceNestsAndAgreesWithItsTable) {
  const ProcessResult result = profile({"--json", "--trace", folder_.file("trace.json")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const json report = json::parse(result.out);
  EXPECT_GT(report["ceilings"]["copy_bytes_per_s"], 0);
  std::vector<std::string> names;
  for (const json& stage : report["stages"]) names.push_back(stage["name"]);
  EXPECT_EQ(names, (std::vector<std::string>{"read", "score", "compress", "answer"}));

  const json trace = json::parse(read_bytes(folder_.file("trace.json")));
  std::vector<json> stages, operations;
  for (const json& event : trace["traceEvents"]) {
    if (event["ph"] == "M") continue;
    EXPECT_EQ(event["ph"], "X");
    (event["cat"] == "stage" ? stages : operations).push_back(event);
  }
  ASSERT_EQ(stages.size(), 4U);
  const auto end_of = [](const json& event) { return event["ts"].get<double>() + event["dur"].get<double>(); };
  constexpr double kRounding = 1e-3;  // of a microsecond
  double end = 0;
  for (const json& stage : stages) {
    EXPECT_GE(stage["ts"].get<double>() + kRounding, end);
    end = end_of(stage);
  }
  std::map<std::string, std::map<std::string, std::pair<size_t, double>>> counted;
  end = 0;
  for (const json& operation : operations) {
    EXPECT_GE(operation["ts"].get<double>() + kRounding, end);
    end = end_of(operation);
    size_t inside = 0;
    for (const json& stage : stages) {
      if (operation["ts"] < stage["ts"] || end > end_of(stage) + kRounding) continue;
      ++inside;
      auto& [calls, flop] = counted[stage["name"]][operation["name"]];
      ++calls;
      flop += operation["args"]["flop"].get<double>();
    }
    EXPECT_EQ(inside, 1U) << operation;
  }
  for (const json& stage : report["stages"]) {
    double seconds = stage["seconds_outside"];
    for (const json& operation : stage["operations"]) {
      const auto& [calls, flop] = counted[stage["name"]][operation["name"]];
      EXPECT_EQ(operation["calls"], calls) << operation;
      EXPECT_EQ(operation["flop"], flop) << operation;
      seconds += operation["seconds"].get<double>();
    }
    EXPECT_NEAR(seconds, stage["seconds"].get<double>(), 1e-6);
    EXPECT_EQ(stage["operations"].size(), counted[stage["name"]].size());
  }
  EXPECT_GT(counted["score"]["attend, scoring"].first, 0U);
}

TEST_F(ProfileCommand, PrintsATableForEachStage) {
  const ProcessResult result = profile({});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  for (const char* part : {"read:", "score:", "compress:", "answer:", "linear", "GFLOP/s", "outside of them"})
    EXPECT_NE(result.out.find(part), std::string::npos) << part;
}

TEST_F(ProfileCommand, SaysWhatIsWrong) {
  EXPECT_EQ(profile({"--keep", "0"}).exit_code, 2);
  const ProcessResult result = profile({"--trace", folder_.file("none/trace.json")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("can't be written"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace kvzip
