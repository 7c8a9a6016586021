// `kvzip view`: pages that show what a document's compression keeps, and what answers make of it.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/context_files.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/questions.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/viewed_answers.h"
#include "kvzip/cli/viewed_document.h"

namespace kvzip::cli {
namespace {

struct ViewFlags {
  std::string file;
  std::vector<std::string> questions;
  std::string questions_file;
  bool answers = false;
  std::string out;
  std::string keep;
  std::string key;
  EngineFlags engine;
  ReadingFlags reading;
  AnswerOptions answering;
  OutputFlags output;
};

/// A page, and what `--json` says of it.
struct MadePage {
  std::string text;
  Json about;
};

bool is_context(const ViewFlags& flags) { return flags.file != "-" && is_context_file(flags.file); }

ContextFile open_context_file(const ViewFlags& flags) {
  return ContextFile::open(flags.file, {.key = load_key(flags.key)});
}

MadePage make_view(const ViewFlags& flags, ProgressBar& bar) {
  ViewedDocument document;
  if (is_context(flags)) {
    const ContextFile file = open_context_file(flags);
    document = viewed_context(load_engine(flags.engine, bar), file, flags.keep);
  } else {
    const std::string text = read_document(flags.file);
    document = viewed_text(load_engine(flags.engine, bar), flags.file, text, flags.reading, flags.keep, bar);
  }
  return {view_page(document), {{"document_tokens", document.scores.len}, {"keep", document.keep}}};
}

MadePage make_answers(const ViewFlags& flags, ProgressBar& bar) {
  const auto questions = gather_questions({flags.file, flags.questions, flags.questions_file, false});
  const AnswersRequest request{questions.value_or(std::vector<std::string>{}), flags.keep, flags.answering};
  ViewedAnswers answers;
  if (is_context(flags)) {
    const ContextFile file = open_context_file(flags);
    answers = answers_of_context(load_engine(flags.engine, bar), file, request, bar);
  } else {
    const std::string text = read_document(flags.file);
    answers = answers_of_text(load_engine(flags.engine, bar), flags.file, text, flags.reading, request, bar);
  }
  return {answers_page(answers),
          {{"document_tokens", answers.document_tokens},
           {"kept_ratio", answers.kept_ratio},
           {"questions", answers.questions.size()}}};
}

void run_view(const ViewFlags& flags) {
  if (!flags.keep.empty()) parse_keep(flags.keep);
  check_answer_options(flags.answering);
  if (!flags.answers && !(flags.questions.empty() && flags.questions_file.empty()))
    throw Error(ErrorCode::usage, "questions: only for --answers");
  require_writable(flags.out);
  ProgressBar bar(flags.output.quiet);
  MadePage page = flags.answers ? make_answers(flags, bar) : make_view(flags, bar);
  throw_if_interrupted();
  write_file_atomically(flags.out, [&](FileWriter& file) { file.write(page.text); });
  bar.note("page", fmt::format("{}, {}", one_line(flags.out), format_bytes(page.text.size())));
  if (flags.output.json) {
    Json json = {{"document", document_name(flags.file)}, {"page", flags.out}, {"page_bytes", page.text.size()}};
    json.update(page.about);
    print_json(json);
  }
}

}  // namespace

std::function<void()> add_view(CLI::App& command) {
  const auto flags = std::make_shared<ViewFlags>();
  command.add_option("FILE", flags->file, "Document, - for standard input; or a context file")->required();
  command.add_option("QUESTION", flags->questions, "Questions, for --answers");
  command.add_option("-o,--output", flags->out, "Write the page to this file")->required();
  command.add_flag("--answers", flags->answers,
                   "Show questions and answers instead: from the full memory and from what is kept");
  command.add_option("--questions", flags->questions_file, "File with one question per line, for --answers");
  command.add_option("-k,--keep", flags->keep,
                     "What is KEPT, where the page's slider stands at first: 0.3, 30%, 200MiB or 1500tokens "
                     "(default: 0.3, or all of a context file that holds less)");
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_key_option(command, flags->key);
  add_answer_options(command, flags->answering);
  add_output_options(command, flags->output);
  command.footer(
      "One HTML file that needs no network: the text, every token shaded by how much of it is kept, with a slider "
      "over\n"
      "the keep ratio, a map of layers and heads, the scores, and search. With --answers: question by question, both\n"
      "answers with their differences, and every token's probability under both memories. Pages hold what they show:\n"
      "mind whom they are passed on to.\n\n"
      "Examples:\n"
      "  kvzip view report.txt -o report.html\n"
      "  kvzip view report.txt -o report.html --keep 200MiB -m qwen3-8b\n"
      "  kvzip view report.kvz -o report.html                     without reading it again\n"
      "  kvzip view report.txt --answers \"Who wrote it?\" -o answers.html --keep 0.1\n");
  return [flags] { run_view(*flags); };
}

}  // namespace kvzip::cli
