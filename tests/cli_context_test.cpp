// Context files as users of the program meet them: compress, ask, chat, info and verify.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "tests/program_test_case.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::string_view kDocument =
    "Log of the lighthouse at Skerry Rock. The lamp was lit for the first time on 4 March 1887. The keeper is Ada "
    "Lind. Her cat is called Pepper. The fog horn is painted green. The boat comes every second Friday.\n";

class ContextFiles : public ProgramTestCase {
 protected:
  ContextFiles() : document_(write("log.txt", kDocument)), kvz_(folder_.file("log.kvz")) {}

  static std::string read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void compress(const Words& options = {}) const {
    Words words = {"compress", document_, "-o", kvz_, "-q"};
    words.insert(words.end(), options.begin(), options.end());
    const ProcessResult result = run(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.out + result.err, "");
  }
  std::string answer(const std::string& file, const Words& options) const {
    Words words = {"ask", file, "What is the cat called?", "-n", "12", "-q"};
    words.insert(words.end(), options.begin(), options.end());
    const ProcessResult result = run(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return result.out;
  }

  std::string document_;
  std::string kvz_;
};

TEST_F(ContextFiles, HelpEndsWell) {
  for (const char* command : {"compress", "verify", "store"}) {
    const ProcessResult result = run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out.find("Examples:"), std::string::npos) << command;
  }
}

TEST_F(ContextFiles, AnswersAreThoseOfAFreshCompression) {
  compress({"--keep", "0.9"});
  for (const char* keep : {"0.9", "0.5", "0.2"})
    EXPECT_EQ(answer(kvz_, {"-k", keep}), answer(document_, {"-k", keep})) << keep;
  EXPECT_EQ(answer(kvz_, {}), answer(kvz_, {"-k", "0.9"})) << "without --keep: all that it holds";
  expect_error({"ask", kvz_, "Who?", "-q", "-k", "0.95"}, 2, "holds 0.9");
  EXPECT_NE(answer(kvz_, {"-k", "40tokens"}), "");
}

TEST_F(ContextFiles, JsonSaysWhatWasRead) {
  compress({"--keep", "1"});
  const Json whole = run_json({"ask", kvz_, "Who?", "-n", "2"});
  const Json tenth = run_json({"ask", kvz_, "Who?", "-n", "2", "-k", "0.1"});
  EXPECT_EQ(whole.at("document"), "log.txt");
  EXPECT_EQ(whole.at("context_file"), kvz_);
  EXPECT_EQ(whole.at("kept_ratio"), 1);
  EXPECT_EQ(whole.at("kv_bytes_kept"), whole.at("kv_bytes_full"));
  EXPECT_EQ(whole.at("context_file_bytes"), read(kvz_).size());
  EXPECT_LE(tenth.at("context_bytes_read"), whole.at("context_bytes_read"));
  EXPECT_FALSE(tenth.contains("prefill_seconds"));
}

TEST_F(ContextFiles, TwoRunsGiveTheSameBytes) {
  compress();
  const std::string first = read(kvz_);
  compress();
  EXPECT_EQ(read(kvz_), first);
  EXPECT_EQ(folder_.entries(), 2U);
}

TEST_F(ContextFiles, InfoAndVerifyTellWhatAFileIs) {
  compress({"--keep", "0.4", "--kv-type", "q8_0"});
  const Json info = run_json({"info", kvz_});
  EXPECT_EQ(info.at("title"), "log.txt");
  EXPECT_EQ(info.at("keep"), 0.4);
  EXPECT_EQ(info.at("kv_type"), "q8_0");
  EXPECT_EQ(info.at("rows_per_head").size(), 30U);
  EXPECT_EQ(info.at("fingerprint").at("architecture"), "llama");
  EXPECT_EQ(run({"info", kvz_, "--text"}).out, kDocument);
  EXPECT_NE(run({"info", kvz_}).out.find("log.txt"), std::string::npos);
  EXPECT_EQ(run_json({"verify", kvz_}).at("files")[0].at("file_bytes"), read(kvz_).size());
  EXPECT_NE(run({"verify", kvz_}).out.find("as it was written"), std::string::npos);
  std::string bytes = read(kvz_);
  bytes[bytes.size() / 2] ^= 1;
  expect_error({"verify", write("damaged.kvz", bytes)}, 1, "damaged.kvz: damaged: block");
  expect_error({"verify", write("cut.kvz", bytes.substr(0, 1000))}, 1, "cut.kvz: damaged: expected");
  expect_error({"verify", document_}, 1, "expected a context file");
  expect_error({"info", "smollm2", "--text"}, 2, "--text");
  expect_error({"info", folder_.file("none.kvz")}, 1, "none.kvz: No such file");
}

TEST_F(ContextFiles, VerifyLooksAtAllFilesWhateverIsWrongWithOne) {
  compress({"--keep", "0.4"});
  const std::string cut = write("cut.kvz", read(kvz_).substr(0, 1000));
  const ProcessResult result = run({"verify", cut, kvz_, folder_.file("none.kvz")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.out.find("log.kvz: as it was written"), std::string::npos) << result.out;
  EXPECT_NE(result.err.find("2 of 3 files aren't as they were written: " + cut + ": damaged"), std::string::npos);
  EXPECT_NE(result.err.find("none.kvz: No such file"), std::string::npos) << result.err;
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1);
  const ProcessResult json = run({"verify", cut, kvz_, "--json"});
  EXPECT_EQ(json.exit_code, 1);
  EXPECT_NE(Json::parse(json.out).at("error").get<std::string>().find("1 of 2 files"), std::string::npos);
}

TEST_F(ContextFiles, AttentionTakesTextsOnly) {
  compress({"--keep", "0.4"});
  const std::string page = folder_.file("attention.html");
  expect_error({"attention", kvz_, "-o", page}, 1, "log.kvz: expected text, found a binary file");
  expect_error({"attention", "--text", " ", "-o", page}, 1, "--text: expected text, found none");
  expect_error({"attention", "--text", "a", "--pair", "", "-o", page}, 1, "--pair: expected text, found none");
}

TEST_F(ContextFiles, CanBeCutFurtherPackedAndSigned) {
  compress({"--keep", "0.8"});
  const std::string small = folder_.file("small.kvz");
  const std::string key = write("key", std::string(64, 'a') + "\n");
  EXPECT_EQ(run({"compress", kvz_, "-o", small, "-k", "0.3", "--zstd", "-q"}).exit_code, 0);
  EXPECT_EQ(answer(small, {}), answer(document_, {"-k", "0.3"}));
  EXPECT_LT(read(small).size(), read(kvz_).size());
  EXPECT_TRUE(run_json({"info", small}).at("zstd"));
  compress({"--keep", "0.8", "--key", key});
  EXPECT_EQ(answer(kvz_, {"-k", "0.3", "--key", key}), answer(small, {}));
  expect_error({"verify", kvz_}, 1, "made with a key");
  expect_error({"verify", kvz_, "--key", write("other", std::string(32, 'b'))}, 1, "not made with this key");
  expect_error({"verify", kvz_, "--key", document_}, 1, "expected a key of 32 bytes");
}

TEST_F(ContextFiles, OtherModelsAndTypesAreRefused) {
  compress({"--keep", "0.5"});
  expect_error({"ask", kvz_, "Who?", "-q", "--rope-scaling", "linear:2"}, 1, "'rope': 'base 100000");
  expect_error({"ask", kvz_, "Who?", "-q", "--template", "plain"}, 1, "'template': 'chatml");
  expect_error({"ask", kvz_, "Who?", "-q", "--kv-type", "q8_0"}, 2, "--kv-type q8_0");
  expect_error({"ask", kvz_, "Who?", "-q", "--level", "head", "-k", "0.4"}, 2, "level pair");
  expect_error({"ask", kvz_, "Who?", "-q", "--compare"}, 2, "--compare");
  expect_error({"chat", kvz_, "-q", "--full"}, 2, "--full");
}

TEST_F(ContextFiles, HowAFileWasScoredCantBeChosenLater) {
  compress({"--keep", "0.5", "--scoring", "local"});
  const std::string out = folder_.file("other.kvz");
  expect_error({"ask", kvz_, "Who?", "-q", "--scoring", "exact"}, 2, "--scoring exact: " + kvz_ + " was scored");
  expect_error({"chat", kvz_, "-q", "--method", "snapkv"}, 2, "--method snapkv: " + kvz_ + " was scored");
  expect_error({"compress", kvz_, "-o", out, "-q", "--method", "kvzip+"}, 2, "with --method 'kvzip'");
  expect_error({"store", "add", kvz_, "-q", "--scoring", "exact"}, 2, "with --scoring 'local'");
  EXPECT_NE(answer(kvz_, {"--scoring", "local", "--method", "kvzip"}), "") << "what it was made with may be said";
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(ContextFiles, ChatTakesThem) {
  compress({"--keep", "0.8"});
  const ProcessResult result = run({"chat", kvz_, "-n", "8"}, "What is the cat called?\n/stats\n/quit\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Pepper"), std::string::npos) << result.out;
}

TEST_F(ContextFiles, WhatCantBeWrittenLeavesTheOldFile) {
  expect_error({"compress", document_, "-o", folder_.file("none/log.kvz"), "-q"}, 1, "can't be written");
  expect_error({"compress", document_, "-q"}, 2, "--out");
  expect_error({"compress", write("empty.txt", ""), "-o", kvz_, "-q"}, 1, "empty.txt");
  const std::string before = read(write("log.kvz", "old"));
  const ProcessResult limited = run_process(
      {{"/bin/sh", "-c",
        "ulimit -f 1000; trap '' XFSZ; exec " + kProgram + " compress " + document_ + " -o " + kvz_ + " -k 1 -q"},
       ""});
  EXPECT_EQ(limited.exit_code, 1);
  EXPECT_NE(limited.err.find("log.kvz: can't be written: File too large"), std::string::npos) << limited.err;
  EXPECT_EQ(read(kvz_), before);
  EXPECT_EQ(folder_.entries(), 3U);
}

}  // namespace
}  // namespace kvzip
