// The program on several devices: processes that start, speak with one voice, fail and are stopped together. On CPUs,
// which share a model as GPUs do.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/program_test_case.h"

namespace kvzip {
namespace {

using Words = std::vector<std::string>;

const std::string kTiny = KVZIP_SOURCE_DIR "/tests/golden/tiny/llama";
const std::string kLighthouse = KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse.txt";

ProcessResult run(Words words, const std::string& standard_input = "", const std::string& interrupt_at = "") {
  words.insert(words.begin(), kProgram);
  ProcessInput input{words, standard_input};
  input.interrupt_at = interrupt_at;
  return run_process(input);
}

/// One line on stderr, and nothing on stdout.
void expect_error(const Words& words, int exit_code, const std::string& part) {
  expect_refused(words, run(words), exit_code, part);
}

nlohmann::json answers(const Words& devices) {
  Words words = {"ask", "-", "What is the name of the station cat?", "--weights", "f32", "--json", "-q", "-n", "12"};
  words.insert(words.end(), devices.begin(), devices.end());
  std::ifstream file(kLighthouse, std::ios::binary);
  const std::string document{std::istreambuf_iterator<char>(file), {}};
  const ProcessResult result = run(words, document);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(result.err, "");
  EXPECT_TRUE(nlohmann::json::accept(result.out)) << result.out;
  return nlohmann::json::parse(result.out, nullptr, false);
}

TEST(DevicesProgram, AskAnswersTheSameOnThreeDevicesAsOnOne) {
  const auto alone = answers({});
  const auto shared = answers({"--device", "cpu,cpu,cpu"});
  EXPECT_EQ(alone["answers"][0]["kept"]["text"], shared["answers"][0]["kept"]["text"]) << shared.dump(1);
  EXPECT_FALSE(alone["answers"][0]["kept"]["text"].empty());
  for (const char* figure : {"kept_ratio", "kv_bytes_full", "kv_bytes_kept"}) EXPECT_EQ(alone[figure], shared[figure]);
}

TEST(DevicesProgram, BenchMeasuresWithSeveralDevices) {
  const Words words = {"bench",   "-m",     kTiny,         "--device", "cpu,cpu", "--context", "300",
                       "--keeps", "1,0.3",  "--questions", "1,3",      "-r",      "1",         "--decode-tokens",
                       "2",       "--json", "-q"};
  const ProcessResult result = run(words);
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto json = nlohmann::json::parse(result.out);
  EXPECT_EQ(json["devices"], 2);
  EXPECT_EQ(json["decode"].size(), 4U);
  // Of the whole model, 300 tokens take 4 layers x 2 heads x 2 x 16 values of two bytes each; a device holds half.
  EXPECT_EQ(json["decode"][0]["kv_bytes"], 300 * 4 * 2 * 2 * 16 * 2 / 2);
}

TEST(DevicesProgram, WhatOneOfThemCantDoIsSaidOnce) {
  expect_error({"generate", "Hello", "--device", "cpu,cpu"}, 1, "3 KV heads can't be divided evenly among 2 devices");
  expect_error({"bench", "-m", kTiny, "--device", "cpu,cpu,cpu", "-q"}, 1, "2 KV heads can't be divided");
}

TEST(DevicesProgram, CommandsForOneDeviceRefuseSeveral) {
  const TempFolder folder;
  expect_error({"compress", kLighthouse, "-o", folder.file("x.kvz"), "--device", "cpu,cpu", "-q"}, 2,
               "uses one device");
  EXPECT_EQ(folder.entries(), 0U);
  expect_error({"chat", kLighthouse, "--device", "cuda:0,1", "-q"}, 2, "uses one device");
  expect_error({"ask", kLighthouse, "--device", "cpu,cpu", "-q"}, 2, "questions: expected some");
  expect_error({"ask", kLighthouse, "Who?", "--device", "cuda:0,0", "-q"}, 2, "found cuda:0 twice");
  expect_error({"generate", "Hello", "--gpus", "2", "--device", "cuda:1"}, 2, "--gpus 2: expected no --device");
  expect_error({"ask", kLighthouse, "Who?", "--device", "cpu,cpu,cpu", "--method", "knorm", "-q"}, 2, "expected kvzip");
}

TEST(DevicesProgram, CtrlCEndsAllOfThem) {
  const ProcessResult result = run({"ask", kLighthouse, "Who?", "--device", "cpu,cpu,cpu"}, "", "reading");
  EXPECT_EQ(result.exit_code, 130) << result.err;
  EXPECT_NE(result.err.find("kvzip: cancelled\n"), std::string::npos) << result.err;
  EXPECT_EQ(result.out, "");
}

TEST(DevicesProgram, NothingIsPutIntoTheStore) {
  const TempFolder folder;
  const ProcessResult result =
      run({"ask", kLighthouse, "Who?", "--device", "cpu,cpu,cpu", "-n", "2", "-q", "--store", folder.file("store")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace kvzip
