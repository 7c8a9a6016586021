#include "kvzip/cli/options.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "kvzip/cli/commands.h"

namespace kvzip::cli {
namespace {

struct AllFlags {
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
  AnswerOptions answers;
  OutputFlags output;
};

AllFlags parse(const std::vector<std::string>& words) {
  AllFlags flags;
  CLI::App app;
  add_engine_options(app, flags.engine);
  add_reading_options(app, flags.reading);
  add_keep_options(app, flags.keep);
  add_answer_options(app, flags.answers);
  add_output_options(app, flags.output);
  app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  return flags;
}

TEST(Options, DefaultsAreTheDocumentedOnes) {
  const AllFlags flags = parse({});
  EXPECT_EQ(flags.engine.model, "smollm2");
  EXPECT_EQ(flags.reading.dtype(), DType::f16);
  EXPECT_EQ(flags.keep.amount().value, 0.3);
  EXPECT_EQ(flags.keep.level, "pair");
  EXPECT_EQ(flags.answers.max_tokens, 256U);
  EXPECT_EQ(flags.answers.sampling.temperature, 0);
  EXPECT_EQ(flags.output.json, false);
}

TEST(Options, ReachTheLibrary) {
  const AllFlags flags = parse({"-m",
                                "x.gguf",
                                "--kv-type",
                                "bf16",
                                "--batch",
                                "77",
                                "--keep",
                                "40%",
                                "--level",
                                "pair-uniform",
                                "-n",
                                "5",
                                "--temperature",
                                "0.5",
                                "--top-k",
                                "3",
                                "--top-p",
                                "0.9",
                                "--min-p",
                                "0.1",
                                "--repeat-penalty",
                                "1.1",
                                "--seed",
                                "18446744073709551615",
                                "-t",
                                "3",
                                "-q"});
  EXPECT_EQ(flags.engine.model, "x.gguf");
  EXPECT_EQ(flags.engine.threads, 3U);
  EXPECT_EQ(flags.reading.dtype(), DType::bf16);
  EXPECT_EQ(flags.reading.batch, 77U);
  EXPECT_DOUBLE_EQ(flags.keep.amount().value, 0.4);
  EXPECT_EQ(flags.answers.max_tokens, 5U);
  EXPECT_EQ(flags.answers.sampling.temperature, 0.5F);
  EXPECT_EQ(flags.answers.sampling.top_k, 3U);
  EXPECT_EQ(flags.answers.sampling.top_p, 0.9F);
  EXPECT_EQ(flags.answers.sampling.min_p, 0.1F);
  EXPECT_EQ(flags.answers.sampling.repeat_penalty, 1.1F);
  EXPECT_EQ(flags.answers.sampling.seed, 18446744073709551615U);
  EXPECT_TRUE(flags.output.quiet);
}

TEST(Options, RefuseWhatIsOutOfRange) {
  const std::vector<std::vector<std::string>> wrong = {{"--threads", "-1"},
                                                       {"--threads", "many"},
                                                       {"--threads", "1.5"},
                                                       {"--batch", "0"},
                                                       {"--batch", "99999999"},
                                                       {"--max-tokens", "-3"},
                                                       {"--max-tokens", "0"},
                                                       {"--top-k", "-1"},
                                                       {"--seed", "-1"},
                                                       {"--seed", "99999999999999999999"},
                                                       {"--kv-type", "f8"},
                                                       {"--level", "token"},
                                                       {"--weights", "q4"},
                                                       {"--scoring", "x"},
                                                       {"--temperature", "warm"},
                                                       {"--no-such-option"},
                                                       {"--keep"}};
  for (const auto& words : wrong) EXPECT_THROW(parse(words), CLI::ParseError) << words.front() << " " << words.back();
}

TEST(Options, NegativeAmountsReachTheirOwnError) {
  EXPECT_THROW(parse({"--keep", "-1"}).keep.amount(), Error);
  EXPECT_THROW(check_answer_options(parse({"--temperature", "-1"}).answers), Error);
  EXPECT_THROW(check_answer_options(parse({"--top-p", "nan"}).answers), Error);
}

TEST(Options, HeadScoresBelongToOneLevel) {
  EXPECT_THROW(parse({"--head-scores", "x"}).keep.amount(), Error);
  EXPECT_NO_THROW(parse({"--head-scores", "x", "--level", "head"}).keep.amount());
}

TEST(Options, EveryCommandHasHelpWithExamples) {
  for (const AddCommand add : {add_ask, add_chat, add_scores, add_tokenize, add_info, add_generate, add_bench}) {
    CLI::App app;
    add(app);
    EXPECT_NE(app.help().find("Examples:"), std::string::npos) << app.help();
  }
}

}  // namespace
}  // namespace kvzip::cli
