// Streaming, gates and --keep auto as users of the program meet them: ask, compress, learn and bench.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/program_test_case.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::string_view kDocument =
    "Log of the lighthouse at Skerry Rock. The lamp was lit for the first time on 4 March 1887. The keeper is Ada "
    "Lind. Her cat is called Pepper. The fog horn is painted green. The boat comes every second Friday.\n";

class Streaming : public ProgramTestCase {
 protected:
  Streaming() : document_(write("log.txt", kDocument)) {}

  Words ask(const Words& options) const {
    Words words = {"ask", document_, "Who is the keeper?", "-q", "-n", "6", "--no-store"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }

  std::string document_;
};

TEST_F(Streaming, RefusesWhatNeedsTheWholeDocument) {
  expect_error(ask({"--mode", "streaming", "--compare"}), 2, "--compare");
  expect_error(ask({"--mode", "streaming", "--full"}), 2, "--full");
  expect_error(ask({"--mode", "streaming", "--level", "head"}), 2, "--level head");
  expect_error(ask({"--mode", "streaming", "--method", "snapkv"}), 2, "snapkv");
  expect_error(ask({"--mode", "streaming", "--scoring", "exact"}), 2, "--scoring exact");
  expect_error(ask({"--mode", "streaming", "--chunk-keep", "1.5"}), 2, "1.5");
  expect_error(ask({"--chunk", "100"}), 2, "--mode streaming");
}

TEST_F(Streaming, StreamingAnswersFromWhatIsLeft) {
  const Json whole = run_json({"ask", document_, "Who?", "-n", "4", "--scoring", "local", "--no-store"});
  const Json json =
      run_json({"ask", document_, "Who?", "-n", "4", "--mode", "streaming", "--chunk", "30", "--no-store"});
  EXPECT_EQ(json.at("scoring"), "streaming-30");
  EXPECT_EQ(json.at("document_tokens"), whole.at("document_tokens"));
  EXPECT_EQ(json.at("kv_bytes_full"), whole.at("kv_bytes_full"));
  EXPECT_NEAR(json.at("kept_ratio"), 0.3, 0.02);
  EXPECT_GT(json.at("scoring_seconds"), 0);
  // A document of one chunk is scored and cut as always, question and answer with it.
  const Json one = run_json({"ask", document_, "Who?", "-n", "4", "--mode", "streaming", "--no-store"});
  EXPECT_EQ(one.at("kept_ratio"), whole.at("kept_ratio"));
  EXPECT_EQ(one.at("answers")[0].at("kept").at("text"), whole.at("answers")[0].at("kept").at("text"));
  expect_error({"ask", folder_.file("missing"), "Who?", "--mode", "streaming", "-q"}, 1, "missing");
}

TEST_F(Streaming, StreamedContextsAreFilesLikeOthers) {
  const std::string file = folder_.file("streamed.kvz");
  run_json({"compress", document_, "-o", file, "--mode", "streaming", "--chunk", "30", "--keep", "0.4"});
  EXPECT_EQ(run({"verify", file, "-q"}).exit_code, 0);
  const Json less = run_json({"ask", file, "Who?", "-n", "3", "--keep", "0.2"});
  EXPECT_NEAR(less.at("kept_ratio"), 0.2, 0.02);
  EXPECT_EQ(less.at("scoring"), "streaming-30");
  expect_error({"ask", file, "Who?", "--keep", "0.8", "-q"}, 2, "0.4");
}

TEST_F(Streaming, IsMeasured) {
  const Json json = run_json({"bench", "--only", "streaming", "--streaming", "90", "--chunk", "30", "-r", "1"});
  const Json& figure = json.at("streaming")[0];
  EXPECT_EQ(figure.at("tokens"), 90);
  EXPECT_LT(figure.at("scoring_seconds").at("median"), figure.at("seconds").at("median"));
  EXPECT_NEAR(figure.at("kv_bytes"), 0.3 * 90 * 2 * 30 * 3 * 64 * 2, 30000);
}

TEST_F(Streaming, GatesAreLearnedAndScoreWhileReading) {
  const std::string text = KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse_and_license.txt";
  const std::string gate = folder_.file("gate.safetensors");
  const Json learned = run_json({"learn", text, "-o", gate, "--length", "1500"});
  EXPECT_EQ(learned.at("documents"), 2);
  EXPECT_GT(learned.at("correlation"), 0.7);
  const Json scores = run_json({"scores", document_, "--gate", gate, "--overlap"});
  EXPECT_EQ(scores.at("scoring"), "gate");
  EXPECT_GT(scores.at("documents")[0].at("overlap")[1].at("common"), 0.6);
  const Json whole = run_json(ask({"--gate", gate}));
  EXPECT_EQ(whole.at("scoring"), "gate");
  EXPECT_NEAR(whole.at("kept_ratio"), 0.3, 0.02);
  const Json streamed = run_json(ask({"--gate", gate, "--mode", "streaming"}));
  EXPECT_EQ(streamed.at("answers")[0].at("kept").at("text"), whole.at("answers")[0].at("kept").at("text"));
  const std::string kvz = folder_.file("gated.kvz");
  run_json({"compress", document_, "-o", kvz, "--gate", gate});
  EXPECT_EQ(run({"ask", kvz, "Who?", "-n", "2", "-q", "--gate", gate}).exit_code, 0);
  // Neither a gate without a file nor a file that is none.
  expect_error(ask({"--scoring", "gate"}), 2, "kvzip learn");
  expect_error(ask({"--gate", gate, "--method", "snapkv"}), 2, "--method");
  expect_error(ask({"--gate", gate, "--scoring", "local"}), 2, "--scoring local");
  expect_error(ask({"--gate", document_}), 1, "log.txt");
  expect_error({"learn", document_, "-o", gate, "-q"}, 1, "tokens to learn from");
  expect_error({"learn", folder_.file("missing"), "-o", gate, "-q"}, 1, "missing");
}

TEST_F(Streaming, KeepAutoStaysWithinTheLoss) {
  double last = 1;
  for (const char* loss : {"0.02", "0.5", "100"}) {
    const Json json = run_json(ask({"--keep", "auto", "--loss", loss, "--kv-type", "q8_0"}));
    EXPECT_LE(json.at("kept_ratio"), last);
    last = json.at("kept_ratio");
  }
  EXPECT_NEAR(last, 0.1, 0.02);  // anything goes
  const std::string kvz = folder_.file("auto.kvz");
  run_json({"compress", document_, "-o", kvz, "--keep", "auto", "--loss", "100"});
  expect_error({"ask", kvz, "Who?", "-q", "--keep", "0.2"}, 2, "0.1");
  expect_error({"ask", kvz, "Who?", "-q", "--keep", "auto"}, 2, "context file");
  expect_error(ask({"--keep", "auto", "--compare"}), 2, "--compare");
  expect_error(ask({"--keep", "auto", "--mode", "streaming"}), 2, "whole document");
  expect_error({"scores", document_, "-q", "--keep", "auto"}, 2, "--keep auto");
}

}  // namespace
}  // namespace kvzip
