// The store as users of the program meet it: `kvzip store`, and `ask` and `chat`, which use it by themselves.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/cli_process.h"
#include "tests/redis_server.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

const std::string kProgram = std::string(KVZIP_BINARY_DIR) + "/bin/kvzip";
constexpr std::string_view kDocument =
    "Log of the lighthouse at Skerry Rock. The keeper is Ada Lind. Her cat is called Pepper. The fog horn is green.\n";

class Store : public ::testing::Test {
 protected:
  Store() : document_(write("log.txt", kDocument)) {}

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_.file(name), std::ios::binary) << text;
    return folder_.file(name);
  }
  ProcessResult run(Words words, std::string_view standard_input = "") const {
    words.insert(words.begin(), kProgram);
    return run_process({words, std::string(standard_input), environment_});
  }
  Json run_json(Words words) const {
    words.emplace_back("--json");
    const ProcessResult result = run(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    return Json::parse(result.out, nullptr, false);
  }
  Json ask(Words options = {}) const {
    Words words = {"ask", document_, "What is the cat called?", "-n", "10", "-q"};
    words.insert(words.end(), options.begin(), options.end());
    return run_json(words);
  }
  Json list() const { return run_json({"store", "list"}).at("contexts"); }

  TempFolder folder_;
  std::string document_;
  std::vector<std::pair<std::string, std::string>> environment_ = {{"KVZIP_STORE", folder_.file("store")}};
};

TEST_F(Store, TheSecondQuestionReadsNothing) {
  const Json first = ask();
  EXPECT_TRUE(first.contains("prefill_seconds"));
  const Json second = ask();
  EXPECT_TRUE(second.contains("context_file")) << second;
  EXPECT_EQ(second.at("answers")[0].at("kept").at("text"), first.at("answers")[0].at("kept").at("text"));
  EXPECT_EQ(second.at("kept_ratio"), first.at("kept_ratio"));
  EXPECT_EQ(second.at("kv_bytes_full"), first.at("kv_bytes_full"));
  EXPECT_EQ(second.at("document_tokens"), first.at("document_tokens"));
  EXPECT_TRUE(ask({"--keep", "0.1"}).contains("context_file")) << "a smaller ratio";
  EXPECT_TRUE(ask({"--keep", "0.6"}).contains("prefill_seconds")) << "more than is there";
  EXPECT_TRUE(ask({"--keep", "0.5"}).contains("context_file")) << "it was replaced";
  EXPECT_EQ(list().size(), 1U);
  EXPECT_TRUE(ask({"--kv-type", "q8_0"}).contains("prefill_seconds")) << "other rows";
  EXPECT_EQ(list().size(), 2U);
  const std::string copy = write("copy.txt", kDocument);
  EXPECT_TRUE(run_json({"ask", copy, "Who?", "-n", "2", "-q"}).contains("context_file")) << "the content counts";
  const ProcessResult chat = run({"chat", document_, "-n", "8"}, "What is the cat called?\n");
  EXPECT_NE(chat.err.find("context"), std::string::npos) << chat.err;
  EXPECT_EQ(chat.err.find("reading"), std::string::npos) << chat.err;
}

TEST_F(Store, CanBeTurnedOff) {
  ask({"--no-store"});
  ask({"--full"});
  ask({"--compare"});
  EXPECT_FALSE(std::filesystem::exists(folder_.file("store")));
  environment_ = {{"KVZIP_STORE", ""}};
  ask();
  EXPECT_EQ(folder_.entries(), 1U);
  environment_ = {{"KVZIP_STORE", document_}};
  EXPECT_TRUE(ask().contains("answers")) << "a store that can't be used is no reason not to answer";
}

TEST_F(Store, DamagedContextsAreReadAgain) {
  ask();
  const std::string path = folder_.file("store/") + list()[0].at("name").get<std::string>() + ".kvz";
  {
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(-5, std::ios::end);
    file.put('x');
  }
  EXPECT_EQ(run({"verify", path}).exit_code, 1);
  EXPECT_TRUE(ask().contains("prefill_seconds"));
  EXPECT_EQ(run({"verify", path}).exit_code, 0);
}

TEST_F(Store, CommandsManageIt) {
  const ProcessResult added = run({"store", "add", document_, "--keep", "0.5", "-q"});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const std::string name = added.out.substr(0, 32);
  EXPECT_EQ(added.out, name + "\n");
  EXPECT_TRUE(ask().contains("context_file"));
  EXPECT_TRUE(run_json({"store", "add", document_, "-q"}).at("was_there"));
  EXPECT_EQ(list()[0].at("name"), name);
  EXPECT_EQ(list()[0].at("title"), "log.txt");
  EXPECT_EQ(list()[0].at("keep"), 0.5);
  EXPECT_NE(run({"store", "list"}).out.find("log.txt"), std::string::npos);
  EXPECT_EQ(run_json({"store", "show", name.substr(0, 6)}).at("title"), "log.txt");
  EXPECT_EQ(run({"store", "pin", "log.txt"}).exit_code, 0);
  EXPECT_EQ(run_json({"store", "gc", "--max-size", "1KiB"}).at("files"), 0);
  EXPECT_EQ(run({"store", "unpin", name}).exit_code, 0);
  EXPECT_EQ(run_json({"store", "gc", "--max-size", "1KiB"}).at("files"), 1);
  EXPECT_TRUE(list().empty());
  EXPECT_EQ(run({"store", "rm", name}).exit_code, 1);
}

TEST_F(Store, TakesContextFilesOfOtherMachines) {
  const std::string kvz = folder_.file("log.kvz");
  ASSERT_EQ(run({"compress", document_, "-o", kvz, "--keep", "0.5", "--zstd", "-q"}).exit_code, 0);
  ASSERT_EQ(run({"store", "add", kvz, "-q"}).exit_code, 0);
  EXPECT_TRUE(ask({"--keep", "0.5"}).contains("context_file"));
}

TEST_F(Store, ALargerContextIsntReplacedByASmallerOne) {
  const std::string large = folder_.file("large.kvz"), small = folder_.file("small.kvz");
  ASSERT_EQ(run({"compress", document_, "-o", large, "--keep", "1", "-q"}).exit_code, 0);
  ASSERT_EQ(run({"compress", large, "-o", small, "--keep", "0.1", "-q"}).exit_code, 0);
  const auto kept = [&] { return list().at(0).at("keep").get<double>(); };
  EXPECT_EQ(run_json({"store", "add", small, "-q"}).at("was_there"), false);
  EXPECT_EQ(kept(), 0.1);
  EXPECT_EQ(run_json({"store", "add", large, "-q"}).at("was_there"), false) << "more of it";
  EXPECT_EQ(kept(), 1);
  const ProcessResult again = run({"store", "add", small, "--pin"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_NE(again.err.find("100 % of it is there already"), std::string::npos) << again.err;
  EXPECT_EQ(kept(), 1);
  EXPECT_EQ(list().at(0).at("pinned"), true);
  EXPECT_EQ(run_json({"store", "add", document_, "--keep", "0.2", "-q"}).at("was_there"), true);
  ASSERT_EQ(run({"store", "rm", "log.txt"}).exit_code, 0);
  EXPECT_EQ(run_json({"store", "add", small, "-q"}).at("was_there"), false);
  EXPECT_EQ(kept(), 0.1) << "for whom that is enough";
}

TEST_F(Store, HasALargestSize) {
  environment_.emplace_back("KVZIP_STORE_SIZE", "100KiB");
  const ProcessResult result = run({"ask", document_, "Who?", "-n", "2"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.err.find("not stored"), std::string::npos) << result.err;
  EXPECT_EQ(run({"store", "add", document_, "-q"}).exit_code, 1);
  environment_.back().second = "lots";
  const ProcessResult wrong = run({"store", "list"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_NE(wrong.err.find("KVZIP_STORE_SIZE 'lots': expected an amount of bytes"), std::string::npos) << wrong.err;
}

TEST_F(Store, WrongNamesAreErrors) {
  ask();
  for (const char* name : {"nothing", "../store", "", "/etc/passwd"}) {
    const ProcessResult result = run({"store", "rm", name});
    EXPECT_EQ(result.exit_code, 1) << name;
    EXPECT_NE(result.err.find("found none"), std::string::npos) << result.err;
  }
  EXPECT_EQ(list().size(), 1U);
  EXPECT_EQ(run({"store"}).exit_code, 2);
  environment_ = {{"KVZIP_STORE", ""}};
  EXPECT_EQ(run({"store", "list"}).exit_code, 2);
}

TEST_F(Store, MachinesShareOneOnARedisServer) {
  RedisServer server({"--requirepass", "right"});
  const std::string url = server.url(":right@");
  EXPECT_TRUE(ask({"--store", url}).contains("prefill_seconds"));
  const Json second = ask({"--store", url, "--keep", "0.1"});
  EXPECT_EQ(second.at("context_file").get<std::string>().find(server.url()), 0U) << second;
  EXPECT_LT(second.at("context_bytes_read"), second.at("context_file_bytes"));
  EXPECT_FALSE(std::filesystem::exists(folder_.file("store"))) << "not in the folder";
  environment_ = {{"KVZIP_STORE", url}};
  EXPECT_TRUE(ask().contains("context_file"));
  EXPECT_EQ(list()[0].at("title"), "log.txt");
  EXPECT_EQ(run_json({"store", "show", "log.txt"}).at("title"), "log.txt");
  EXPECT_EQ(run({"store", "pin", "log.txt"}).exit_code, 0);
  EXPECT_EQ(run_json({"store", "gc", "--max-size", "1KiB"}).at("files"), 0);
  EXPECT_EQ(run({"store", "rm", "log.txt"}).exit_code, 0);
  EXPECT_TRUE(list().empty());
  server.kill();
  EXPECT_TRUE(ask().contains("prefill_seconds")) << "a store that can't be used is no reason not to answer";
  for (const Words& words : {Words{"ask", document_, "Who?", "-q", "--store", url}, Words{"store", "list"}}) {
    const ProcessResult result = run(words);
    EXPECT_EQ(result.exit_code, 1);
    EXPECT_NE(result.err.find("can't be reached"), std::string::npos) << result.err;
    EXPECT_EQ(result.err.find("right"), std::string::npos) << result.err;
  }
  EXPECT_EQ(run({"store", "list", "--store", "redis://host:port"}).exit_code, 2);
}

TEST_F(Store, WithAKeyOnlyItsHoldersAreBelieved) {
  ask();
  environment_.emplace_back("KVZIP_STORE_KEY", write("key", std::string(64, 'a')));
  EXPECT_TRUE(ask().contains("prefill_seconds")) << "what others wrote";
  EXPECT_TRUE(ask().contains("context_file")) << "what we wrote";
  environment_.back().second = write("other", std::string(64, 'b'));
  EXPECT_TRUE(ask().contains("prefill_seconds"));
  environment_.back().second = document_;
  EXPECT_EQ(run({"store", "list"}).exit_code, 1);
}

TEST_F(Store, AContextUnderAnotherNameIsNotUsed) {
  ask();
  const std::string name = list()[0].at("name");
  const std::string path = folder_.file("store/") + name + ".kvz";
  const std::string other = write("other.txt", "Nothing about any lighthouse.\n");
  ASSERT_EQ(run({"compress", other, "-o", path, "-q"}).exit_code, 0);
  EXPECT_TRUE(ask().contains("prefill_seconds"));
  EXPECT_TRUE(ask().contains("context_file")) << "it was replaced";
  ASSERT_EQ(run({"compress", other, "-o", path, "-q"}).exit_code, 0);
  const Json added = run_json({"store", "add", document_, "-q"});
  EXPECT_EQ(added.at("name"), name);
  EXPECT_FALSE(added.at("was_there")) << "what was there is another document's";
  EXPECT_TRUE(ask().contains("context_file"));
  write("store/" + name + ".kvz", "damaged");
  EXPECT_FALSE(run_json({"store", "add", document_, "-q"}).at("was_there"));
  EXPECT_TRUE(ask().contains("context_file"));
}

TEST_F(Store, OtherPlacesAreRefused) {
  const ProcessResult result = run({"store", "list", "--store", "http://cache"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_NE(result.err.find("expected a folder or redis://..., found 'http://cache'"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace kvzip
