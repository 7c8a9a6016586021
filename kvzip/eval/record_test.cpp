#include "kvzip/eval/record.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "kvzip/eval/error_message_test.h"
#include "kvzip/eval/run.h"

namespace kvzip {
namespace {

DocumentRecord sample() {
  const EvalSettings settings{.task = "qa",
                              .model = "small",
                              .weights = "stored",
                              .chat_template = "chatml",
                              .level = "pair",
                              .policy = "kvzip",
                              .scoring = "exact",
                              .kv_type = "f16",
                              .device = "cpu",
                              .files = "built-in",
                              .tokens = 0,
                              .seed = 0,
                              .max_questions = 2,
                              .ratios = {1.0, 0.3},
                              .version = "0.1.0"};
  const AnswerRecord full{"Ada \"Lind\"\n", 1, 0.75, -0.25, 0.5, {}, -0.125};
  const AnswerRecord cut{"a cat\xff", 0, 0.5, -0.5, 0.125, {0, 3}, -2};
  return {.settings = settings,
          .index = 4,
          .system_tokens = 30,
          .document_tokens = 600,
          .kv_bytes_full = 1000,
          .depth = 0.5,
          .cuts = {{1.0, 1.0, 0, 1000}, {0.3, 0.299871, 0.0125, 321}},
          .questions = {{"Who?", "Ada Lind", "include", full, {full, cut}},
                        {"What?", "a lamp", "include", cut, {cut, full}}}};
}

TEST(EvalRecord, HasTheOriginalsShape) {
  const auto json = to_json(sample());
  EXPECT_EQ(json.begin().key(), "qa");
  ASSERT_EQ(json["qa"].size(), 2U);
  EXPECT_EQ(json["qa"][1][0].dump(), "[0.3,0.299871,0.0125]");
  EXPECT_EQ(json["qa"][1][1]["full__"], "Ada \"Lind\"\n");
  EXPECT_EQ(json["qa"][1][1]["pruned"], "a cat\xef\xbf\xbd") << "JSON is UTF-8, whatever a model says";
  EXPECT_EQ(json["qa"][1][1]["answer"], "Ada Lind");
  EXPECT_EQ(json["qa-1"][0][1]["answer"], "a lamp");
  // The original's parser takes every key that begins with "qa" for a question.
  for (const auto& [key, value] : json.items())
    EXPECT_EQ(key.starts_with("qa"), value.is_array() && value[0].is_array());
}

TEST(EvalRecord, ComesBack) {
  const std::string text = to_json(sample()).dump(2);
  const DocumentRecord record = parse_record("x.json", text);
  EXPECT_EQ(to_json(record).dump(2), text);
  EXPECT_EQ(record.questions.at(0).pruned.at(1).flips, (std::vector<size_t>{0, 3}));
  EXPECT_EQ(record.questions.at(1).question, "What?");
  EXPECT_EQ(record.cuts.at(1).kv_bytes, 321U);
  EXPECT_EQ(record.depth, 0.5);
}

TEST(EvalRecord, OtherFilesAreRefusedByName) {
  EXPECT_NE(message_of([] { parse_record("x.json", "{}"); }).find("x.json: settings"), std::string::npos);
  EXPECT_NE(message_of([] { parse_record("x.json", "[1]"); }).find("x.json"), std::string::npos);
  const auto json = to_json(sample());
  for (const auto& [key, value] : json.items()) {
    auto without = json;
    without.erase(key);
    EXPECT_NE(message_of([&] { parse_record("x.json", without.dump()); }).find("x.json: " + key), std::string::npos)
        << key;
  }
  auto wrong = json;
  wrong["qa"][1][0] = {0.3, "much"};
  EXPECT_NE(message_of([&] { parse_record("x.json", wrong.dump()); }).find("qa"), std::string::npos);
  wrong = json;
  wrong["qa"].erase(1);
  EXPECT_NE(message_of([&] { parse_record("x.json", wrong.dump()); }).find("a list of 2"), std::string::npos);
  wrong = json;
  wrong["qa-1"][0][1].erase("pruned");
  EXPECT_NE(message_of([&] { parse_record("x.json", wrong.dump()); }).find("pruned"), std::string::npos);
}

TEST(EvalRun, FilesAreNamedAsTheOriginalNamesThem) {
  EvalSettings settings = sample().settings;
  EXPECT_EQ(result_path("out", settings, 7), "out/qa/7_small/output-pair.json");
  settings.scoring = "local";
  EXPECT_EQ(result_path("out", settings, 7), "out/qa/7_small/output-pair-local.json");
  settings.policy = "snapkv";
  EXPECT_EQ(result_path("out", settings, 7), "out/qa/7_small/output-pair-snapkv-local.json");
  EXPECT_EQ(model_label("Qwen/Qwen3-8B@main"), "Qwen3-8B-main");
  EXPECT_EQ(model_label("some/where/model.q4.gguf"), "model.q4");
  EXPECT_EQ(model_label("folder/"), "folder");
  EXPECT_EQ(model_label(".."), "model..");
}

TEST(EvalRun, Shards) {
  const Shard second = parse_shard("2/3");
  EXPECT_TRUE(second.has(1) && second.has(4) && !second.has(3));
  for (const char* wrong : {"", "0/2", "3/2", "1", "1/0", "-1/2", "1/2x", "a/b", "1/99999999999999999999"})
    EXPECT_THROW(parse_shard(wrong), Error) << wrong;
}

TEST(EvalRun, ProcessesOfOneHostShareItsProcessors) {
  const auto processors = static_cast<size_t>(::sysconf(_SC_NPROCESSORS_ONLN));
  ::unsetenv("OMPI_COMM_WORLD_LOCAL_SIZE");
  ::unsetenv("MPI_LOCALNRANKS");
  EXPECT_EQ(fair_threads(processors), 0U) << "alone";
  ::setenv("MPI_LOCALNRANKS", "2", 1);
  EXPECT_EQ(fair_threads(processors), std::max<size_t>(processors / 2, 1));
  EXPECT_EQ(fair_threads(processors - 1), 0U) << "bound to some of them";
  ::setenv("MPI_LOCALNRANKS", "1000000", 1);
  EXPECT_EQ(fair_threads(processors), 1U);
  ::setenv("MPI_LOCALNRANKS", "two", 1);
  EXPECT_EQ(fair_threads(processors), 0U);
  ::unsetenv("MPI_LOCALNRANKS");
}

TEST(EvalRun, MethodsAreFoundByBothNames) {
  EXPECT_EQ(&find_method("kvzip", "exact"), &methods().front());
  EXPECT_EQ(find_method("kvzip", "local").scoring, "local");
  EXPECT_EQ(find_method("snapkv", "exact").policy, "snapkv");
  EXPECT_NE(message_of([] { find_method("snapkv", "local"); }).find("snapkv exact"), std::string::npos);
  EXPECT_NE(message_of([] { find_method("kvzip", "guess"); }).find("kvzip exact"), std::string::npos);
}

}  // namespace
}  // namespace kvzip
