// `kvzip generate`: a plain continuation of a text.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/streaming.h"
#include "kvzip/stages/prompt.h"

namespace kvzip::cli {
namespace {

struct GenerateFlags {
  std::string prompt;
  EngineFlags engine;
  ReadingFlags reading;
  AnswerOptions answers;
  OutputFlags output;
};

void run_generate(const GenerateFlags& flags) {
  check_answer_options(flags.answers);
  if (is_quantised(flags.reading.dtype())) {
    throw Error(ErrorCode::usage, "--kv-type " + flags.reading.kv_type +
                                      ": only for a document's memory; expected f16, bf16 or f32 without a document");
  }
  const std::string prompt = flags.prompt == "-" ? read_document("-") : flags.prompt;
  if (prompt.empty()) throw Error(ErrorCode::usage, "prompt: expected some text, found none");
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  Conversation conversation(engine.model, {}, 0, flags.reading.dtype());
  const std::vector<TokenId> ids = opened_ids(engine.model, prompt);
  if (flags.output.json) {
    const Answer answer = conversation.continue_ids(ids, silent(flags.answers));
    throw_if_interrupted();
    Json json = to_json(answer);
    json["prompt"] = prompt;
    print_json(json);
    return;
  }
  const Answer answer = conversation.continue_ids(ids, streaming(flags.answers));
  fmt::print("\n");
  std::fflush(stdout);
  throw_if_interrupted();
  note_answer(answer, bar);
}

}  // namespace

std::function<void()> add_generate(CLI::App& command) {
  const auto flags = std::make_shared<GenerateFlags>();
  command.add_option("PROMPT", flags->prompt, "The text to continue; - is standard input")->required();
  add_answer_options(command, flags->answers);
  add_engine_options(command, flags->engine);
  add_gpus_option(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "The text is continued as it is. Special tokens that it spells out (such as <|im_start|>) count as such.\n\n"
      "Examples:\n"
      "  kvzip generate \"The capital of France is\" -n 16\n"
      "  kvzip generate \"Once upon a time\" --temperature 0.8 --top-p 0.95 --seed 7\n");
  return [flags] { run_generate(*flags); };
}

}  // namespace kvzip::cli
