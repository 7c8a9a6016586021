#include "kvzip/model/find_model.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/model/hub_cache.h"
#include "tests/hf_builder.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

/// Environment variables with values of the test's own, put back at its end.
class Environment {
 public:
  Environment() = default;
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    for (const auto& [name, value] : before_) assign(name, value);
  }
  void set(const std::string& name, const std::optional<std::string>& value) {
    const char* const old = std::getenv(name.c_str());
    before_.emplace(name, old == nullptr ? std::nullopt : std::optional<std::string>(old));
    assign(name, value);
  }

 private:
  static void assign(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      ::setenv(name.c_str(), value->c_str(), 1);
    } else {
      ::unsetenv(name.c_str());
    }
  }
  std::map<std::string, std::optional<std::string>> before_;
};

class FindModelTest : public testing::Test {
 protected:
  FindModelTest() {
    for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "KVZIP_MODELS"})
      environment_.set(name, std::nullopt);
    environment_.set("HF_HOME", folder_.path());
  }

  /// A model in the cache; its folder.
  std::string add(const std::string& repository, const std::string& commit, const std::string& ref) {
    const fs::path model = fs::path(folder_.path()) / "hub" / repository;
    fs::create_directories(model / "snapshots" / commit);
    write_bytes((model / "snapshots" / commit / "config.json").string(), "{}");
    fs::create_directories(model / "refs");
    write_bytes((model / "refs" / ref).string(), commit);
    return (model / "snapshots" / commit).string();
  }

  static std::string error_of(const std::string& name) {
    try {
      return "found " + find_model(name);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
      return error.what();
    }
  }

  Environment environment_;
  TempFolder folder_;
};

TEST_F(FindModelTest, FilesAndFoldersAreTheirOwnPaths) {
  write_bytes(folder_.file("x.gguf"), "GGUF");
  EXPECT_EQ(find_model(folder_.file("x.gguf")), folder_.file("x.gguf"));
  EXPECT_EQ(find_model(folder_.path()), folder_.path());
}

TEST_F(FindModelTest, FullNamesInTheCache) {
  const std::string place = add("models--Org--Model-1.5_x", "abc123", "main");
  EXPECT_EQ(find_model("Org/Model-1.5_x"), place);
  EXPECT_EQ(find_model("Org/Model-1.5_x@main"), place);
  EXPECT_EQ(find_model("Org/Model-1.5_x@abc123"), place);
  const std::string other = add("models--Org--Model-1.5_x", "def456", "v2");
  EXPECT_EQ(find_model("Org/Model-1.5_x"), place);
  EXPECT_EQ(find_model("Org/Model-1.5_x@v2"), other);
  EXPECT_NE(error_of("Org/Model-1.5_x@v3").find("`hf download Org/Model-1.5_x --revision v3` fetches it"),
            std::string::npos);
  write_bytes(folder_.file("hub/models--Org--Model-1.5_x/refs/main"), "def456\n");
  EXPECT_EQ(find_model("Org/Model-1.5_x"), other);
}

TEST_F(FindModelTest, AbbreviationsMeanFullNames) {
  const std::string place = add("models--Qwen--Qwen3-0.6B", "abc123", "main");
  EXPECT_EQ(find_model("qwen3-0.6b"), place);
  const std::string why = error_of("gemma3-27b");
  EXPECT_NE(why.find("google/gemma-3-27b-it not found in "), std::string::npos) << why;
  EXPECT_NE(why.find(folder_.path() + "/hub"), std::string::npos) << why;
  EXPECT_NE(why.find("`hf download google/gemma-3-27b-it` fetches it"), std::string::npos) << why;
  std::set<std::string_view> names;
  for (const KnownModel& model : known_models()) {
    EXPECT_TRUE(names.insert(model.name).second) << model.name;
    EXPECT_TRUE(parse_hub_id(model.id)) << model.id;
  }
  for (const char* name :
       {"llama3.0-8b", "llama3.1-8b", "llama3.2-1b", "llama3.2-3b", "duo",       "qwen2.5-7b", "qwen2.5-14b",
        "qwen3-0.6b",  "qwen3-1.7b",  "qwen3-4b",    "qwen3-8b",    "qwen3-14b", "qwen3-32b",  "gemma3-1b",
        "gemma3-4b",   "gemma3-12b",  "gemma3-27b",  "mistral-7b",  "gpt2",      "smollm2"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

TEST_F(FindModelTest, TheCacheMayBeElsewhere) {
  const std::string place = add("models--Org--Model", "abc123", "main");
  environment_.set("HF_HOME", std::nullopt);
  environment_.set("HF_HUB_CACHE", folder_.file("hub"));
  EXPECT_EQ(find_model("Org/Model"), place);
  environment_.set("HF_HUB_CACHE", folder_.file("none"));
  environment_.set("HF_HOME", folder_.path());
  EXPECT_NE(error_of("Org/Model").find(folder_.file("none")), std::string::npos);
  environment_.set("HF_HUB_CACHE", std::nullopt);
  environment_.set("HF_HOME", std::nullopt);
  environment_.set("HOME", folder_.path());
  EXPECT_EQ(hub_cache_folder(), folder_.file(".cache/huggingface/hub"));
  environment_.set("XDG_CACHE_HOME", folder_.file("xdg"));
  EXPECT_EQ(hub_cache_folder(), folder_.file("xdg/huggingface/hub"));
}

TEST_F(FindModelTest, AFolderOfModelsComesFirst) {
  add("models--Qwen--Qwen3-4B", "abc123", "main");
  fs::create_directories(folder_.file("mine/Qwen3-4B"));
  write_bytes(folder_.file("mine/Qwen3-4B/config.json"), "{}");
  environment_.set("KVZIP_MODELS", folder_.file("mine"));
  EXPECT_EQ(find_model("qwen3-4b"), folder_.file("mine/Qwen3-4B"));
}

TEST_F(FindModelTest, UnfinishedDownloadsAreNotThere) {
  const std::string place = add("models--Org--Model", "abc123", "main");
  fs::remove(place + "/config.json");
  EXPECT_NE(error_of("Org/Model").find("not found in"), std::string::npos);
}

TEST_F(FindModelTest, NamesCannotLeadOutOfTheCache) {
  add("models--Org--Model", "abc123", "main");
  fs::create_directories(folder_.file("out"));
  write_bytes(folder_.file("out/config.json"), "{}");
  for (const char* name : {"Org/..", "../Model", "Org/Model/x", "/Org/Model", "Org//Model", "Org/", "/Model",
                           "Org/.hidden", "-Org/Model", "Org/Model@", "Org/Model@../../../../out", "Org/Model@a/b",
                           "Org/Model@..", "Org/Mo del", "", "Org/Model@main@main",
                           "Org/M\xc3\xb6"
                           "del"}) {
    EXPECT_NE(error_of(name).find("expected a GGUF file, a folder, ORG/NAME"), std::string::npos) << name;
  }
  for (const char* name : {"..", "../..", ".", "/"}) EXPECT_FALSE(parse_hub_id(name)) << name;  // folders, as named
  EXPECT_FALSE(parse_hub_id(std::string(200, 'a') + "/b"));
  EXPECT_FALSE(parse_hub_id(std::string_view("Org/Mo\0del", 10)));
  for (const char* content : {"../../../out", "..", "", "a/b", "/", "abc123\n../x"}) {
    write_bytes(folder_.file("hub/models--Org--Model/refs/main"), content);
    EXPECT_NE(error_of("Org/Model").find("not found in"), std::string::npos) << content;
  }
  write_bytes(folder_.file("hub/models--Org--Model/refs/main"), std::string(1'000'000, 'a'));
  EXPECT_NE(error_of("Org/Model").find("not found in"), std::string::npos);
}

}  // namespace
}  // namespace kvzip
