// `kvzip eval` at work: results that are the same however often it is stopped and over however many processes it is
// spread.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "kvzip/eval/record.h"
#include "tests/cli_process.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using Words = std::vector<std::string>;
using Environment = std::vector<std::pair<std::string, std::string>>;
namespace fs = std::filesystem;

const std::string kProgram = std::string(KVZIP_BINARY_DIR) + "/bin/kvzip";

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// Every result under a folder, by its place; times are left out.
std::map<std::string, std::string> results_in(const std::string& folder) {
  std::map<std::string, std::string> results;
  if (!fs::exists(folder)) return results;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && !entry.path().filename().string().starts_with("times"))
      results[fs::relative(entry.path(), folder).string()] = read_text(entry.path().string());
  }
  return results;
}

class Evaluation : public ::testing::Test {
 protected:
  Evaluation() {
    fs::create_directory(files_);
    const std::string text = read_text(KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse.txt");
    for (int i = 0; i < 3; ++i) {
      const nlohmann::json document = {{"context", text.substr(0, 500 + 200 * static_cast<size_t>(i))},
                                       {"questions",
                                        {{{"question", "Who is the principal keeper?"}, {"answer", "keeper"}},
                                         {{"question", "When was it lit?"}, {"answer", "lit"}}}}};
      std::ofstream(files_ + "/" + std::to_string(i) + ".json") << document;
    }
  }

  Words command(const std::string& out, const Words& more = {}) const {
    Words words = {kProgram,          "eval", "-d", "qa", "--files", files_, "--ratios", "1.0,0.3", "--out",
                   folder_.file(out), "-q"};
    words.insert(words.end(), more.begin(), more.end());
    return words;
  }
  ProcessResult run(const std::string& out, const Words& more = {}, const Environment& environment = {}) const {
    return run_process({command(out, more), "", environment});
  }

  TempFolder folder_;
  std::string files_ = folder_.file("files");
};

TEST_F(Evaluation, OneRunGivesEveryRatioFromOneReading) {
  const ProcessResult result = run("out", {"--json"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["tasks"][0]["evaluated"], 3);
  const auto results = results_in(folder_.file("out"));
  ASSERT_EQ(results.size(), 3U);
  ASSERT_EQ(results.begin()->first, "qa/0_smollm2/output-pair.json");
  for (const auto& [path, text] : results) {
    const DocumentRecord record = parse_record(path, text);
    ASSERT_EQ(record.questions.size(), 2U);
    EXPECT_LT(record.cuts.at(1).kv_bytes, record.kv_bytes_full);
    EXPECT_EQ(record.cuts.at(0).kv_bytes, record.kv_bytes_full);
    EXPECT_NEAR(record.cuts.at(1).kept, 0.3, 0.002);
    for (const QuestionRecord& question : record.questions) {
      // Everything kept is the full memory.
      EXPECT_EQ(question.pruned.at(0).text, question.full.text);
      EXPECT_EQ(question.pruned.at(0).p_answer, question.full.p_answer);
      EXPECT_TRUE(question.pruned.at(0).flips.empty());
      EXPECT_GT(question.full.p_answer, question.pruned.at(1).p_answer - 0.2);
      EXPECT_LT(question.full.log_p_right, 0);
    }
  }
  EXPECT_TRUE(fs::exists(folder_.file("out/qa/0_smollm2/times-pair.json")));

  // Questions that are answered at once are answered as each alone is.
  ASSERT_EQ(run("alone", {"--questions", "1", "--num", "1"}).exit_code, 0);
  const auto alone = results_in(folder_.file("alone"));
  const AnswerRecord one = parse_record("alone", alone.begin()->second).questions.at(0).pruned.at(1);
  const AnswerRecord same = parse_record("out", results.begin()->second).questions.at(0).pruned.at(1);
  EXPECT_NEAR(one.p_answer, same.p_answer, 0.05);
  EXPECT_NEAR(one.log_p_right, same.log_p_right, 0.5);

  // What is finished is left alone.
  const auto written = fs::last_write_time(folder_.file("out/qa/0_smollm2/output-pair.json"));
  EXPECT_EQ(nlohmann::json::parse(run("out", {"--json"}).out)["tasks"][0]["found"], 3);
  EXPECT_EQ(fs::last_write_time(folder_.file("out/qa/0_smollm2/output-pair.json")), written);

  // Nor is it mixed with other settings.
  const ProcessResult other = run("out", {"--kv-type", "q8_0"});
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_NE(other.err.find("kv_type"), std::string::npos) << other.err;
}

TEST_F(Evaluation, StreamingIsReadForEachRatio) {
  const ProcessResult result = run("out", {"--mode", "streaming", "--chunk", "60", "--num", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const auto results = results_in(folder_.file("out"));
  ASSERT_EQ(results.size(), 1U);
  ASSERT_EQ(results.begin()->first, "qa/0_smollm2/output-pair-streaming-60.json");
  const DocumentRecord record = parse_record(results.begin()->first, results.begin()->second);
  EXPECT_EQ(record.settings.scoring, "streaming-60");
  ASSERT_EQ(record.cuts.size(), 2U);
  EXPECT_EQ(record.cuts[0].kv_bytes, record.kv_bytes_full);
  EXPECT_NEAR(record.cuts[1].kept, 0.3, 0.002);
  EXPECT_LT(record.cuts[1].kv_bytes, record.kv_bytes_full / 2);
  EXPECT_EQ(record.questions.at(0).pruned.at(0).text, record.questions.at(0).full.text);
  EXPECT_NE(run("other", {"--mode", "streaming", "--policy", "snapkv"}).err.find("--policy"), std::string::npos);
}

/// KVZIP_KILLS=50 makes it fifty moments; it takes some minutes.
TEST_F(Evaluation, KilledAtAnyMomentItGoesOnToTheSameResults) {
  ASSERT_EQ(run("whole").exit_code, 0);
  const auto expected = results_in(folder_.file("whole"));
  const char* const wanted = std::getenv("KVZIP_KILLS");
  const int kills = wanted != nullptr ? std::atoi(wanted) : 2;
  std::mt19937 random(17);
  for (int i = 0; i < kills; ++i) {
    const std::string out = "killed" + std::to_string(i);
    for (int attempt = 0; attempt < 2; ++attempt) {  // the second one is killed while it goes on
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) process_detail::exec({command(out), "", {}});
      std::this_thread::sleep_for(std::chrono::milliseconds(200 + random() % 1500));
      ::kill(child, SIGKILL);
      process_detail::exit_code_of(child);
      for (const auto& [path, text] : results_in(folder_.file(out))) {
        if (path.ends_with("output-pair.json")) {
          EXPECT_EQ(text, expected.at(path)) << "whole or not there";
        }
      }
    }
    ASSERT_EQ(run(out).exit_code, 0);
    for (const auto& [path, text] : expected) EXPECT_EQ(results_in(folder_.file(out))[path], text) << path;
  }
}

TEST_F(Evaluation, ProcessesShareTheDocuments) {
  // Sums are rounded by how they are split over threads: equally many give equal digits.
  const Words threads = {"-t", "2"};
  ASSERT_EQ(run("whole", threads).exit_code, 0);
  Words shared = {"/usr/bin/env",
                  "OMPI_ALLOW_RUN_AS_ROOT=1",
                  "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1",
                  "mpirun",
                  "--oversubscribe",
                  "-n",
                  "3"};
  for (const std::string& word : command("shared", threads)) shared.push_back(word);
  const ProcessResult together = run_process({shared, "", {}});
  ASSERT_EQ(together.exit_code, 0) << together.err;
  EXPECT_EQ(results_in(folder_.file("shared")), results_in(folder_.file("whole")));
  ASSERT_EQ(run("third", {"--shard", "2/3"}).exit_code, 0);
  EXPECT_EQ(results_in(folder_.file("third")).size(), 1U);
  EXPECT_TRUE(fs::exists(folder_.file("third/qa/1_smollm2")));
  EXPECT_EQ(run("wrong", {}, {{"OMPI_COMM_WORLD_RANK", "3"}, {"OMPI_COMM_WORLD_SIZE", "3"}}).exit_code, 2);
}

TEST_F(Evaluation, TooLongDocumentsAreSkippedAndCounted) {
  std::string text;
  for (int i = 0; i < 9000; ++i) text += "word" + std::to_string(i) + " ";
  const nlohmann::json document = {{"context", text}, {"questions", {{{"question", "Why?"}, {"answer", "so"}}}}};
  std::ofstream(files_ + "/1.json") << document;
  const ProcessResult result = run("out", {"--json", "--num", "2"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_EQ(nlohmann::json::parse(result.out)["tasks"][0]["skipped"], nlohmann::json::array({1}));
  EXPECT_EQ(results_in(folder_.file("out")).size(), 1U);
}

TEST_F(Evaluation, CheckFindsTheRatioThatADocumentBears) {
  const std::string file = KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse.txt";
  const ProcessResult result = run_process(
      {{kProgram, "check", file, "--ratios", "0.5,0.01,1", "--sample", "200", "--loss", "0.5", "--json", "-q"},
       "",
       {}});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  const nlohmann::json report = nlohmann::json::parse(result.out);
  const auto& memories = report["memories"];
  ASSERT_EQ(memories.size(), 4U);
  EXPECT_NEAR(memories[3]["loss"].get<double>(), memories[0]["loss"].get<double>(), 1e-9) << "all kept";
  EXPECT_NEAR(memories[3]["kl"].get<double>(), 0, 1e-9);
  EXPECT_LT(memories[0]["loss"], 1.0) << "the full memory repeats its document";
  EXPECT_GT(memories[1]["kl"], 0);
  EXPECT_GT(memories[2]["kl"], memories[1]["kl"]);
  EXPECT_GT(memories[2]["loss"], memories[0]["loss"].get<double>() + 0.5) << "one row in a hundred is too few";
  EXPECT_EQ(report["smallest_ratio"], 0.5);
  EXPECT_EQ(report["scoring"], "exact");
  EXPECT_EQ(run_process({{kProgram, "check", file, "--ratios", "2"}, "", {}}).exit_code, 2);
  for (const char* loss : {"-1", "nan", "inf", "little", "0.1x"}) {
    const ProcessResult wrong = run_process({{kProgram, "check", file, "--loss", loss}, "", {}});
    EXPECT_EQ(wrong.exit_code, 2) << loss;
    EXPECT_NE(wrong.err.find("--loss: expected a number of at least 0, found '" + std::string(loss)), std::string::npos)
        << wrong.err;
  }
}

TEST_F(Evaluation, CheckScoresByAGateToo) {
  const std::string file = KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse.txt";
  const std::string gate = KVZIP_SOURCE_DIR "/data/smollm2_gate.safetensors";
  const auto check = [&](const std::vector<std::string>& more) {
    std::vector<std::string> words = {kProgram, "check", file, "--ratios", "1,0.5", "--sample", "200", "--json", "-q"};
    words.insert(words.end(), more.begin(), more.end());
    return run_process({words, "", {}});
  };
  const ProcessResult exact = check({});
  const ProcessResult gated = check({"--gate", gate});
  ASSERT_EQ(exact.exit_code, 0) << exact.err;
  ASSERT_EQ(gated.exit_code, 0) << gated.err;
  const nlohmann::json ours = nlohmann::json::parse(gated.out);
  const nlohmann::json theirs = nlohmann::json::parse(exact.out);
  EXPECT_TRUE(ours["scoring"].get<std::string>().starts_with("gate-")) << ours["scoring"];
  EXPECT_NEAR(ours["memories"][0]["loss"], theirs["memories"][0]["loss"], 0.02) << "the same rows in another order";
  EXPECT_NE(ours["memories"][2]["loss"], theirs["memories"][2]["loss"]) << "others are kept";
  EXPECT_LT(ours["memories"][2]["loss"], theirs["memories"][2]["loss"].get<double>() + 1.5) << "but not at random";
  EXPECT_EQ(check({"--scoring", "gate"}).exit_code, 2);
  EXPECT_EQ(check({"--gate", gate, "--scoring", "local"}).exit_code, 2);
  EXPECT_EQ(check({"--gate", file}).exit_code, 1);
}

TEST_F(Evaluation, WrongCommandLinesAndFilesAreSaidInOneLine) {
  const auto fails = [&](const Words& more, int code, const std::string& part) {
    const ProcessResult result = run("out", more);
    EXPECT_EQ(result.exit_code, code) << part << ": " << result.err;
    EXPECT_NE(result.err.find(part), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << result.err;
  };
  fails({"-d", "nedle"}, 2, "needle_multi_key");
  fails({"-d", "kv"}, 2, "--files");
  fails({"--shard", "3/2"}, 2, "--shard");
  fails({"--policy", "guess"}, 2, "kvzip exact");
  fails({"--idx", "9"}, 2, "--idx 9");
  for (const std::string& place : {files_ + "/0.json", std::string("/proc/results")}) {
    const ProcessResult unwritable = run_process({{kProgram, "eval", "-d", "qa", "--out", place, "-q"}, "", {}});
    EXPECT_EQ(unwritable.exit_code, 1);
    EXPECT_NE(unwritable.err.find(place + ": can't be written: "), std::string::npos) << unwritable.err;
  }
  const ProcessResult no_files = run_process({{kProgram, "eval", "-d", "qa", "squad", "-m", "missing"}, "", {}});
  EXPECT_EQ(no_files.exit_code, 2);  // before the model is looked for
  EXPECT_NE(no_files.err.find("squad: expected --files"), std::string::npos) << no_files.err;
  EXPECT_EQ(run_process({{kProgram, "eval", "-d", "qa", "--ratios", "1.0,0"}, "", {}}).exit_code, 2);
  EXPECT_EQ(run_process({{kProgram, "eval", "-d", "qa", "--ratios", "0.3,0.3"}, "", {}}).exit_code, 2);
  std::ofstream(files_ + "/0.json") << R"({"context": "x", "questions": [{"question": "Why?", "answer": ""}]})";
  fails({}, 1, "questions[0].answer");
  EXPECT_TRUE(results_in(folder_.file("out")).empty());
}

}  // namespace
}  // namespace kvzip
