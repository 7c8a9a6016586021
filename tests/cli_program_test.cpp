// The program as its users meet it: exit codes, one-line errors, clean output, Ctrl-C, and each command at work on a
// short document.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>

#include "kvzip/model/safetensors.h"
#include "tests/program_test_case.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;
using Words = std::vector<std::string>;

constexpr std::string_view kDocument =
    "Log of the lighthouse at Skerry Rock. The lamp was lit for the first time on 4 March 1887. The keeper is Ada "
    "Lind. Her cat is called "
    "Pepper. The fog horn is painted green. The boat comes every second Friday and brings flour, oil and letters.\n";

class Program : public ::testing::Test {
 protected:
  Program() : document_(write("log.txt", kDocument)) {}

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_.file(name), std::ios::binary) << text;
    return folder_.file(name);
  }

  static ProcessResult run(Words words, std::string_view standard_input = "") {
    words.insert(words.begin(), kProgram);
    return run_process({words, std::string(standard_input)});
  }

  /// Expects success, and one JSON value on stdout.
  static Json run_json(Words words, std::string_view standard_input = "") {
    words.insert(words.end(), {"--json", "--quiet"});
    const ProcessResult result = run(words, standard_input);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    EXPECT_TRUE(Json::accept(result.out)) << result.out;
    return Json::parse(result.out, nullptr, false);
  }

  /// Expects one line on stderr that begins with the program's name and holds `part`, and nothing on stdout.
  static void expect_error(const Words& words, int exit_code, std::string_view part,
                           std::string_view standard_input = "") {
    expect_refused(words, run(words, standard_input), exit_code, part);
  }

  /// `kvzip ask DOCUMENT "Who?" -q OPTION...`
  Words ask(const Words& options) const { return ask(document_, options); }
  static Words ask(const std::string& document, const Words& options) {
    Words words = {"ask", document, "Who is the keeper?", "-q", "-n", "6"};
    words.insert(words.end(), options.begin(), options.end());
    return words;
  }

  TempFolder folder_;
  std::string document_;
};

/// What libgomp says about itself each time it is loaded.
TEST_F(Program, ThreadsThatWaitSpinForAShortTimeUnlessTheUserChose) {
  const auto loads = [](const Words& settings) {
    Words words = {"/usr/bin/env", "-u", "OMP_WAIT_POLICY", "-u", "GOMP_SPINCOUNT", "OMP_DISPLAY_ENV=verbose"};
    words.insert(words.end(), settings.begin(), settings.end());
    words.insert(words.end(), {kProgram, "--version"});
    const ProcessResult result = run_process({words, ""});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_EQ(result.out, "kvzip " KVZIP_VERSION "\n");
    std::vector<std::string> counts;
    const std::string name = "GOMP_SPINCOUNT = '";
    for (size_t at = result.err.find(name); at != std::string::npos; at = result.err.find(name, at + 1)) {
      const size_t begin = at + name.size();
      counts.push_back(result.err.substr(begin, result.err.find('\'', begin) - begin));
    }
    return counts;
  };
  const std::vector<std::string> own = loads({});
  ASSERT_EQ(own.size(), 2U) << "loaded again, once";
  EXPECT_EQ(own[1], "1000");
  EXPECT_EQ(loads({"GOMP_SPINCOUNT=7"}), std::vector<std::string>{"7"});
  const std::vector<std::string> passive = loads({"OMP_WAIT_POLICY=passive"});
  ASSERT_EQ(passive.size(), 1U);
  EXPECT_EQ(passive[0], "0");
  const ProcessResult name = run_process(
      {{"/usr/bin/env", "-u", "OMP_WAIT_POLICY", kProgram, "tokenize", "/proc/self/comm", "--kind", "word"}, ""});
  EXPECT_NE(name.out.find("kvzip\n"), std::string::npos) << "its name where processes are listed: " << name.out;
}

TEST_F(Program, HelpAndVersionEndWell) {
  EXPECT_EQ(run({"--version"}).out, "kvzip " KVZIP_VERSION "\n");
  EXPECT_EQ(run({"--help"}).exit_code, 0);
  for (const char* command : {"ask", "chat", "scores", "view", "tokenize", "tokenizer", "info", "generate", "bench",
                              "eval", "report", "check"}) {
    const ProcessResult result = run({command, "--help"});
    EXPECT_EQ(result.exit_code, 0);
    EXPECT_NE(result.out.find("Examples:"), std::string::npos) << command;
    EXPECT_EQ(result.err, "");
  }
}

TEST_F(Program, WrongUsageIsTwo) {
  expect_error({}, 2, "subcommand");
  expect_error({"no-such-command"}, 2, "");
  expect_error({"ask"}, 2, "FILE");
  expect_error(ask({"--no-such-option"}), 2, "--no-such-option");
  expect_error(ask({"--level", "token"}), 2, "token");
  expect_error(ask({"--scoring", "fast"}), 2, "fast");
  expect_error(ask({"--method", "best"}), 2, "best");
  expect_error(ask({"--method", "knorm", "--scoring", "local"}), 2, "--scoring");
  expect_error(ask({"--kv-type", "f8"}), 2, "f8");
  expect_error(ask({"--threads", "-1"}), 2, "whole number");
  expect_error(ask({"--batch", "0"}), 2, "whole number");
  expect_error(ask({"--temperature", "-1"}), 2, "temperature");
  expect_error(ask({"--top-p", "2"}), 2, "top-p");
  expect_error(ask({"--template", "nonsense"}), 2, "nonsense");
  expect_error(ask({"--full", "--compare"}), 2, "--full");
  expect_error(ask({"--head-scores", "x"}), 2, "--head-scores");
  expect_error({"chat", "-"}, 2, "standard input");
  expect_error({"ask", "-", "-q"}, 2, "standard input", kDocument);
  expect_error({"ask", document_, "-q"}, 2, "questions");
  expect_error({"ask", document_, " ", "-q"}, 2, "question");
  expect_error({"scores", document_, document_, "--out", folder_.file("x")}, 2, "--out");
  expect_error({"bench", "--keeps", "0"}, 2, "--keeps");
  expect_error({"bench", "-q", "--depths", "8192"}, 2, "8192");
}

TEST_F(Program, KeepIsMoreThanZeroAndAtMostOne) {
  for (const char* keep : {"0", "1.5", "-1", "nan", "abc", "", "0%", "101%", "12 apples"})
    expect_error(ask({"--keep", keep}), 2, "kept");
  expect_error(ask({"--keep", "1KiB"}), 2, "system prompt");
}

TEST_F(Program, DocumentsThatCantBeReadAreOne) {
  expect_error(ask(folder_.file("missing.txt"), {}), 1, "missing.txt: No such file");
  expect_error(ask(folder_.path(), {}), 1, "found a folder");
  expect_error(ask(write("empty.txt", ""), {}), 1, "empty.txt: expected text, found none");
  expect_error(ask(write("blank.txt", " \n\t\n"), {}), 1, "blank.txt: expected text, found none");
  expect_error(ask(write("binary.bin", std::string("text\0more", 9)), {}), 1,
               "binary.bin: expected text, found a binary file");
  std::string words;
  for (int i = 0; i < 9000; ++i) words += "word ";
  expect_error(ask(write("long.txt", words), {}), 1, "long.txt: 9");
  expect_error(ask({"--questions", folder_.file("none.txt")}), 1, "none.txt");
  expect_error(ask({"--questions", write("no_questions.txt", "\n")}), 1, "no_questions.txt");
}

TEST_F(Program, ModelsThatCantBeReadAreOne) {
  expect_error(ask({"-m", "no-such-model"}), 1, "no-such-model");
  expect_error(ask({"-m", write("text.gguf", "this is no model")}), 1, "text.gguf");
  std::string head(100'000, '\0');
  std::ifstream(default_model_path(), std::ios::binary).read(head.data(), static_cast<std::streamsize>(head.size()));
  expect_error(ask({"-m", write("cut.gguf", head)}), 1, "cut.gguf");
  expect_error({"info", folder_.path()}, 1, "expected");
  expect_error({"tokenize", document_, "-m", folder_.file("none.gguf")}, 1, "none.gguf");
}

TEST_F(Program, FilesThatCantBeWrittenAreSaidBeforeTheWork) {
  expect_error({"scores", document_, "--out", folder_.file("none/scores.safetensors")}, 1,
               "scores.safetensors: can't be written");
  expect_error({"scores", document_, "--save-head-scores", folder_.path()}, 1, "can't be written");
  expect_error(ask({"--level", "head", "--head-scores", document_}), 1, "log.txt");
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_F(Program, ErrorsAreJsonToo) {
  const ProcessResult result = run({"ask", folder_.file("missing.txt"), "Who?", "--json"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(Json::parse(result.out).at("error").get<std::string>().find("missing.txt"), std::string::npos);
  EXPECT_EQ(run({"ask", "--json"}).exit_code, 2);
  EXPECT_TRUE(Json::parse(run({"ask", "--json"}).out).contains("error"));
}

TEST_F(Program, NamesCantBreakTheLine) {
  expect_error(ask("/nowhere/a\nb\x1b[31m.txt", {}), 1, "/nowhere/a b[31m.txt");
}

TEST_F(Program, AnswersGoToStdoutAndNothingElseDoes) {
  const ProcessResult quiet = run({"ask", document_, "What is the cat called?", "-q", "-n", "12", "--keep", "0.8"});
  EXPECT_EQ(quiet.exit_code, 0);
  EXPECT_EQ(quiet.err, "");
  EXPECT_NE(quiet.out.find("Pepper"), std::string::npos) << quiet.out;
  const ProcessResult talkative = run({"ask", document_, "What is the cat called?", "-n", "12", "--keep", "0.8"});
  EXPECT_EQ(talkative.out, quiet.out);
  for (const char* part : {"model", "reading", "scoring", "80 % of the document's pairs kept", "tokens"}) {
    EXPECT_NE(talkative.err.find(part), std::string::npos) << talkative.err;
  }
  EXPECT_EQ((talkative.out + talkative.err).find('\x1b'), std::string::npos) << "colours without a terminal";
}

TEST_F(Program, QuestionsComeFromArgumentsFilesAndStandardInput) {
  const auto questions_of = [](const Json& json) {
    Words questions;
    for (const Json& row : json.at("answers")) questions.push_back(row.at("question"));
    return questions;
  };
  const std::string file = write("questions.txt", "Second?\n\nThird?\n");
  EXPECT_EQ(questions_of(run_json({"ask", document_, "First?", "--questions", file, "--full", "-n", "2"})),
            (Words{"First?", "Second?", "Third?"}));
  EXPECT_EQ(questions_of(run_json({"ask", document_, "--full", "-n", "2"}, "From a pipe?\n\n")),
            (Words{"From a pipe?"}));
  const Json piped = run_json({"ask", "-", "Who?", "--full", "-n", "2"}, kDocument);
  EXPECT_EQ(piped.at("document"), "standard input");
}

TEST_F(Program, CompareAnswersTwiceAndFreesMemory) {
  const Words words = {"ask", document_, "What is the cat called?", "Who is the keeper?", "-n", "12", "--keep", "50%"};
  Words both = words;
  both.emplace_back("--compare");
  const Json compared = run_json(both);
  Words only_full = words;
  only_full.emplace_back("--full");
  const Json full = run_json(only_full);
  const Json kept = run_json(words);
  EXPECT_EQ(compared.at("answers").size(), 2U);
  for (size_t i = 0; i < 2; ++i) {
    const Json& row = compared.at("answers")[i];
    EXPECT_EQ(row.at("kept").at("text"), kept.at("answers")[i].at("kept").at("text"))
        << "shrinking a context or making it small";
    EXPECT_EQ(row.at("full").at("text"), full.at("answers")[i].at("full").at("text"))
        << "all rows in score order or in reading order";
    EXPECT_EQ(row.at("same"), row.at("full").at("text") == row.at("kept").at("text"));
  }
  EXPECT_EQ(compared.at("kv_bytes_full"), full.at("kv_bytes_full"));
  EXPECT_EQ(compared.at("kv_bytes_kept"), kept.at("kv_bytes_kept"));
  const double ratio = compared.at("kept_ratio");
  EXPECT_NEAR(ratio, 0.5, 0.01);
  const double token = 2.0 * 30 * 3 * 64 * 2;  // keys and values, layers, KV heads, values, bytes
  EXPECT_NEAR(
      compared.at("kv_bytes_kept").get<double>(),
      token * (compared.at("system_tokens").get<double>() + ratio * compared.at("document_tokens").get<double>()), 1);
}

TEST_F(Program, QuantisedMemoryTakesItsRealBytes) {
  const auto tokens_of = [](const Json& json) { return json.at("system_tokens").get<double>(); };
  for (const auto& [type, head_row] : {std::pair{"q8_0", 68.0}, {"q4_0", 36.0}}) {
    const double token = 2 * 30 * 3 * head_row;  // keys and values, layers, KV heads, bytes of 64 values
    Words words = ask({"--compare", "--keep", "0.5", "--kv-type", type});
    const Json compared = run_json(words);
    const double document = compared.at("document_tokens");
    EXPECT_EQ(compared.at("kv_bytes_full"), (tokens_of(compared) + document) * 2 * 30 * 3 * 128) << "read in f16";
    EXPECT_NEAR(compared.at("kv_bytes_kept").get<double>(),
                token * (tokens_of(compared) + compared.at("kept_ratio").get<double>() * document), 1);
    const Json full = run_json(ask({"--full", "--kv-type", type}));
    EXPECT_EQ(full.at("kv_bytes_full"), token * (tokens_of(full) + document));
    EXPECT_EQ(run_json({"info", "smollm2", "--kv-type", type}).at("kv_bytes_per_token"), token);
    const Json bytes = run_json(ask({"--keep", "1500KB", "--kv-type", type}));
    EXPECT_LE(bytes.at("kv_bytes_kept"), 1'500'000);
    EXPECT_GE(bytes.at("kv_bytes_kept").get<double>(),
              std::min(1'500'000 - 200 * head_row, token * (tokens_of(bytes) + document)));
  }
  const ProcessResult result =
      run({"ask", document_, "What is the cat called?", "-q", "-n", "12", "--keep", "0.8", "--kv-type", "q8_0"});
  EXPECT_NE(result.out.find("Pepper"), std::string::npos) << result.out << result.err;
  expect_error({"generate", "Once", "--kv-type", "q8_0"}, 2, "--kv-type q8_0");
}

TEST_F(Program, ComparisonIsATable) {
  Words words = {kProgram, "ask", document_, "What is the cat called?", "--compare", "-q", "-n", "12"};
  const ProcessResult result = run_process({words, "", {{"COLUMNS", "80"}}});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  for (const char* part :
       {"Full memory", "Kept 30 %", "What is the cat", "keys and values", "time to first token", "scoring"}) {
    EXPECT_NE(result.out.find(part), std::string::npos) << result.out;
  }
}

TEST_F(Program, InvalidUtf8IsReadLikeAnyText) {
  const ProcessResult result =
      run(ask(write("latin1.txt", "The keeper is Andr\xE9. \xFF\xFE His cat is called Pepper.\n"), {}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out, "");
}

TEST_F(Program, ChatRemembersUntilReset) {
  const Words words = {"chat", document_, "--keep", "0.8", "-n", "8"};
  const ProcessResult result =
      run(words, "/help\nWhat is the cat called?\n\n/stats\n/reset\n/stats\n/nonsense\n/quit\nnever asked\n");
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find("Pepper"), std::string::npos) << result.out;
  for (const char* part : {"/reset  forget", "in 1 turn", "in 0 turns", "conversation 0.0 KiB", "/nonsense: unknown"}) {
    EXPECT_NE(result.err.find(part), std::string::npos) << part << " is missing in\n" << result.err;
  }
}

TEST_F(Program, ScoresAreWrittenAndUsed) {
  const std::string out = folder_.file("scores.safetensors");
  const std::string heads = folder_.file("heads.safetensors");
  const Json json = run_json({"scores", document_, "--keep", "0.4", "--out", out, "--save-head-scores", heads});
  const Json& report = json.at("documents")[0];
  const size_t tokens = report.at("document_tokens");
  const SafetensorsFile file = read_safetensors(out);
  EXPECT_EQ(file.at("score").shape, (std::vector<uint64_t>{30, 3, tokens}));
  const auto valid = file.at("valid").data;
  for (size_t i = 0; i < 90; ++i) {
    const auto row = valid.subspan(i * tokens, tokens);
    const auto kept = std::count(row.begin(), row.end(), std::byte{1});
    EXPECT_EQ(report.at("kept_per_head")[i / 3][i % 3], kept);
  }

  // The file of head scores holds each head's highest score, and level `head` then keeps heads whole.
  std::vector<float> scores(90 * tokens);
  std::memcpy(scores.data(), file.at("score").data.data(), scores.size() * sizeof(float));
  std::vector<float> highest(90);
  const SafetensorsFile head_file = read_safetensors(heads);
  ASSERT_EQ(head_file.at("head_score").data.size(), 90 * sizeof(float));
  std::memcpy(highest.data(), head_file.at("head_score").data.data(), 90 * sizeof(float));
  for (size_t i = 0; i < 90; ++i) {
    const auto first = scores.begin() + static_cast<std::ptrdiff_t>(i * tokens);
    EXPECT_EQ(highest[i], *std::max_element(first, first + static_cast<std::ptrdiff_t>(tokens)));
  }
  const Json by_head = run_json({"scores", document_, "--level", "head", "--head-scores", heads, "--keep", "0.5"});
  for (const Json& layer : by_head.at("documents")[0].at("kept_per_head")) {
    for (const size_t kept : layer) EXPECT_TRUE(kept == 0 || kept == tokens) << kept;
  }
}

TEST_F(Program, LocalScoresOfAShortDocumentAreExact) {
  const Json json = run_json({"scores", document_, "--scoring", "local", "--overlap"});
  EXPECT_EQ(json.at("scoring"), "local");
  const Json& overlap = json.at("documents")[0].at("overlap");
  ASSERT_EQ(overlap.size(), 4U);
  for (const Json& row : overlap) EXPECT_EQ(row.at("common"), 1);
  EXPECT_NE(run({"scores", document_, "--overlap", "-q"}).out.find("in common"), std::string::npos);
}

TEST_F(Program, OtherMethodsKeepOtherPairs) {
  for (const char* method : {"random", "snapkv"}) {
    const Json json = run_json({"scores", document_, "--method", method, "--overlap"});
    EXPECT_EQ(json.at("method"), method);
    const Json& report = json.at("documents")[0];
    EXPECT_NEAR(report.at("kept_ratio"), 0.3, 0.02);
    EXPECT_LT(report.at("overlap")[1].at("common"), 0.9);
  }
  const Json by_layer = run_json({"scores", document_, "--method", "snapkv", "--level", "per-layer"});
  const size_t tokens = by_layer.at("documents")[0].at("document_tokens");
  for (const Json& layer : by_layer.at("documents")[0].at("kept_per_head")) {
    size_t kept = 0;
    for (const size_t head : layer) kept += head;
    EXPECT_EQ(kept, 3 * static_cast<size_t>(0.3 * static_cast<double>(tokens)));
  }
  const Json answer = run_json(ask({"--method", "keydiff", "--json"}));
  EXPECT_EQ(answer.at("method"), "keydiff");
  EXPECT_NE(run({"ask", "--help"}).out.find("expected-attention (what"), std::string::npos);
}

TEST_F(Program, ScoresOfSeveralDocumentsMerge) {
  const std::string other =
      write("other.txt", "A recipe: two eggs, a cup of flour, 20 minutes in the oven at 180 degrees.");
  const std::string heads = folder_.file("heads.safetensors");
  const auto values_of = [&](const Words& documents) {
    Words words = {"scores", "-q", "--save-head-scores", heads};
    words.insert(words.end(), documents.begin(), documents.end());
    EXPECT_EQ(run(words).exit_code, 0);
    const SafetensorsFile file = read_safetensors(heads);
    std::vector<float> values(90);
    std::memcpy(values.data(), file.at("head_score").data.data(), 90 * sizeof(float));
    return values;
  };
  const std::vector<float> first = values_of({document_});
  const std::vector<float> second = values_of({other});
  const std::vector<float> both = values_of({document_, other});
  for (size_t i = 0; i < 90; ++i) EXPECT_EQ(both[i], std::max(first[i], second[i]));
}

TEST_F(Program, TokenizeShowsIdsAndPieces) {
  const Json json = run_json({"tokenize", "--text", "Hello caf\xC3\xA9 <|im_end|>"});
  std::string text;
  for (const Json& token : json.at("tokens")) text += token.at("piece");
  EXPECT_EQ(text, "Hello caf\xC3\xA9 <|im_end|>");
  EXPECT_EQ(json.at("count"), json.at("tokens").size());
  std::string line;
  for (const Json& token : json.at("tokens")) {
    if (!line.empty()) line += ' ';
    line += std::to_string(token.at("id").get<int>());
  }
  EXPECT_EQ(run({"tokenize", "--ids", "-q"}, "Hello caf\xC3\xA9 <|im_end|>").out, line + "\n");
}

TEST_F(Program, InfoKnowsTheModelsFigures) {
  const Json json = run_json({"info", "smollm2", "--tokens", "2000", "--keep", "0.5"});
  EXPECT_EQ(json.at("family"), "llama");
  EXPECT_EQ(json.at("kv_bytes_per_token"), 2 * 30 * 3 * 64 * 2);
  EXPECT_EQ(json.at("documents")[0].at("kv_bytes_full"), 2000 * 2 * 30 * 3 * 64 * 2);
  size_t values = 0;
  for (const Json& type : json.at("weights")) values += type.at("values").get<size_t>();
  EXPECT_EQ(values, 134'515'008U);
  EXPECT_NE(run({"info"}).out.find("gemma3"), std::string::npos);
  EXPECT_TRUE(run_json({"info"}).at("names")[0].contains("path"));
}

TEST_F(Program, GenerateContinuesAndSeedsRepeat) {
  const Words words = {"generate", "The capital of France is", "-n", "6", "-q"};
  const ProcessResult plain = run(words);
  EXPECT_NE(plain.out.find("Paris"), std::string::npos) << plain.out;
  const Json json = run_json({"generate", "The capital of France is", "-n", "6"});
  EXPECT_EQ(json.at("text").get<std::string>() + "\n", plain.out);
  EXPECT_EQ(json.at("stopped_by"), "max_tokens");
  const Words seeded = {"generate", "Once", "-n", "6", "--temperature", "1.5", "--seed", "5"};
  EXPECT_EQ(run_json(seeded).at("text"), run_json(seeded).at("text"));
}

TEST_F(Program, BenchReportsEveryFigure) {
  const Json json = run_json({"bench", "--prefill", "48", "--scoring", "40", "--depths", "0,64", "--keeps", "1,0.5",
                              "-r", "2", "--decode-tokens", "2"});
  EXPECT_EQ(json.at("prefill")[0].at("tokens"), 48);
  EXPECT_GT(json.at("prefill")[0].at("tokens_per_s").at("median"), 0);
  ASSERT_EQ(json.at("scoring").size(), 2U);
  EXPECT_EQ(json.at("scoring")[0].at("kind"), "exact");
  EXPECT_EQ(json.at("scoring")[1].at("kind"), "local");
  for (const Json& scoring : json.at("scoring")) EXPECT_GT(scoring.at("ratio"), 0);
  ASSERT_EQ(json.at("decode").size(), 3U);
  EXPECT_EQ(json.at("decode")[1].at("kv_bytes"), 64 * 2 * 30 * 3 * 64 * 2);
  EXPECT_EQ(json.at("decode")[2].at("keep"), 0.5);
  EXPECT_LE(json.at("decode")[2].at("tokens_per_s").at("min"), json.at("decode")[2].at("tokens_per_s").at("max"));
  for (const char* key : {"machine", "threads", "model", "load_seconds", "resident_bytes"})
    EXPECT_TRUE(json.contains(key)) << key;
}

TEST_F(Program, BenchOfKvCachesChecksTheTokensAndDraws) {
  const std::string svg = folder_.file("kv.svg");
  const Words words = {"bench", "kv-cache",    "--tokens", "12",    "--prompt-tokens",
                       "40",    "--questions", "2",        "--svg", svg};
  const Json json = run_json(words);
  const Json& made = json.at("generation");
  ASSERT_EQ(made.at("lengths").size(), 1U);
  EXPECT_EQ(made.at("lengths")[0].at("tokens"), 12);
  EXPECT_GT(made.at("lengths")[0].at("recomputed_seconds"), 0);
  EXPECT_EQ(made.at("tokens").at("compared"), 12);
  EXPECT_LT(made.at("tokens").at("largest_logit_gap"), 1);
  const Json& asked = json.at("prompt_caching");
  EXPECT_EQ(asked.at("questions").size(), 2U);
  EXPECT_GE(asked.at("questions")[1].at("cached_seconds"), asked.at("questions")[0].at("cached_seconds"));
  EXPECT_EQ(asked.at("tokens").at("compared"), 2);
  std::ifstream file(svg);
  const std::string drawn{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(drawn.find("<svg "), 0U);
  EXPECT_NE(drawn.find("</svg>"), std::string::npos);

  const ProcessResult exact =
      run({"bench", "kv-cache", "--tokens", "20", "--prompt-tokens", "40", "--questions", "1", "--weights", "f32"});
  EXPECT_EQ(exact.exit_code, 0) << exact.err;
  for (const char* part : {"Both ways chose the same 20 tokens.", "KV cache", "faster"}) {
    EXPECT_NE(exact.out.find(part), std::string::npos) << exact.out;
  }
  EXPECT_EQ(run({"bench", "kv-cache", "--help"}).exit_code, 0);
  expect_error({"bench", "kv-cache", "-q", "--tokens", "9000"}, 2, "--tokens 9000");
  expect_error({"bench", "kv-cache", "-q", "--tokens", "0"}, 2, "--tokens");
  expect_error({"bench", "kv-cache", "--svg", folder_.file("none/kv.svg")}, 1, "kv.svg: can't be written");
  EXPECT_EQ(run_process({{kProgram, "bench", "kv-cache", "--tokens", "2000"}, "", {}, "model"}).exit_code, 130);
}

TEST_F(Program, CtrlCEndsTheWorkAndLeavesNoFile) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += kDocument;
  const std::string long_document = write("long.txt", text);
  const Words scores = {kProgram, "scores", long_document, "--out", folder_.file("scores.safetensors")};
  const ProcessResult while_reading = run_process({scores, "", {}, "model"});
  EXPECT_EQ(while_reading.exit_code, 130) << while_reading.err;
  EXPECT_NE(while_reading.err.find("kvzip: cancelled\n"), std::string::npos) << while_reading.err;
  const Words generate = {kProgram, "generate", "Once upon a time", "-n", "4000", "--temperature", "1"};
  EXPECT_EQ(run_process({generate, "", {}, "model"}).exit_code, 130);
  EXPECT_EQ(folder_.entries(), 2U);
}

TEST_F(Program, AReaderThatStopsReadingEndsItQuietly) {
  const ProcessResult result = run_process({{kProgram, "tokenize", "--text", "a b c"}, "", {}, "", true});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_EQ(result.err, "");
}

TEST_F(Program, ADiskThatIsFullIsSaid) {
  const ProcessResult result = run_process({{"/bin/sh", "-c", "exec " + kProgram + " info >/dev/full"}, ""});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_EQ(result.err, "kvzip: standard output: can't be written\n");
}

TEST_F(Program, ColoursAreForTerminalsWithoutNoColor) {
  EXPECT_NE(run_on_terminal({{kProgram, "info"}, "", {{"TERM", "xterm"}, {"NO_COLOR", ""}}}).out.find("\x1b["),
            std::string::npos);
  EXPECT_EQ(run_on_terminal({{kProgram, "info"}, "", {{"TERM", "xterm"}, {"NO_COLOR", "1"}}}).out.find("\x1b["),
            std::string::npos);
}

TEST_F(Program, PromptsAtATerminalUntilAnEmptyLine) {
  const ProcessResult result = run_on_terminal(
      {{kProgram, "ask", document_, "--full", "-n", "8"}, "What is the cat called?\n\n", {{"NO_COLOR", "1"}}});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(result.out.find("> "), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("Pepper"), std::string::npos) << result.out;
}

}  // namespace
}  // namespace kvzip
