// `kvzip ask`: questions about a document, each answered on its own.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "kvzip/cli/ask_report.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/compressed_document.h"
#include "kvzip/cli/context_files.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/document_store.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/questions.h"
#include "kvzip/cli/ranks.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/streaming.h"
#include "kvzip/cli/terminal.h"
#include "kvzip/stages/answer_together.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip::cli {
namespace {

constexpr size_t kWidestTable = 120;  // longer lines are hard to read

struct AskFlags {
  std::string file;
  std::vector<std::string> questions;
  std::string questions_file;
  size_t together = 1;
  bool full = false;
  bool compare = false;
  std::string key;
  StoreFlags store;
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
  AnswerOptions answers;
  OutputFlags output;
};

/// One run: what is known about it, in the order in which it becomes known.
class Ask {
 public:
  explicit Ask(const AskFlags& flags) : flags_(flags), bar_(flags.output.quiet) {}

  void run() {
    flags_.keep.amount();
    check_answer_options(flags_.answers);
    if (!flags_.keep.head_scores.empty()) heads_ = load_head_scores(flags_.keep.head_scores);
    const bool stored = flags_.file != "-" && is_context_file(flags_.file);
    if (stored && (flags_.full || flags_.compare)) {
      throw Error(ErrorCode::usage, fmt::format("{}: needs the document itself, and {} is a context file",
                                                flags_.full ? "--full" : "--compare", flags_.file));
    }
    const size_t devices = device_list(flags_.engine.device, flags_.engine.gpus).size();
    if (stored && devices > 1) {
      throw Error(ErrorCode::usage,
                  fmt::format("{}: a context file is used on one device, found {} of them", flags_.file, devices));
    }
    if (flags_.keep.is_automatic() && flags_.compare)
      throw Error(ErrorCode::usage, "--keep auto: expected no --compare; `kvzip check` shows what each ratio costs");
    if (flags_.keep.mode.streams() && (flags_.full || flags_.compare)) {
      throw Error(ErrorCode::usage, fmt::format("{}: needs the full memory, which --mode streaming never holds",
                                                flags_.full ? "--full" : "--compare"));
    }
    const std::string text = stored ? "" : read_document(flags_.file);
    const bool may_prompt = !flags_.compare && !flags_.output.json;
    questions_ = gather_questions({flags_.file, flags_.questions, flags_.questions_file, may_prompt});

    if (!questions_ && devices > 1)
      throw Error(ErrorCode::usage, "questions: expected some on the command line or in a file for several devices");

    engine_ = load_engine(flags_.engine, bar_);
    load_gate(*engine_, flags_.keep.gate);
    report_.document = document_name(flags_.file);
    report_.model = engine_->model.source().path();
    report_.load_seconds = engine_->load_seconds;
    if (stored) {
      const ContextFile file = open_named_file(flags_.file, flags_.key, flags_.keep);
      report_.context_file = file.path();
      report_.document = file.description().title;
      answer_opened(open_context(*engine_, file, {&flags_.keep, heads_ ? &*heads_ : nullptr, &flags_.reading}, bar_));
    } else if (!answer_from_store(text)) {
      read_and_answer(text);
    }
    if (flags_.output.json) {
      print_json(to_json(report_));
    } else if (flags_.compare) {
      fmt::print("{}", comparison(report_, {std::min(terminal_width(stdout), kWidestTable), wants_colours(stdout)}));
    }
  }

 private:
  void read_and_answer(const std::string& text) {
    if (!flags_.full && !flags_.compare) return answer_compressed(text);
    ReadDocument document = read(*engine_, flags_.file, text, flags_.reading, bar_);
    report_.system_tokens = document.reading.system.size();
    report_.document_tokens = document.reading.document.size();
    report_.prefill_seconds = document.seconds;
    report_.kv_bytes_full = sum_of_devices(engine_->model, document.reading.tail.bytes());
    if (flags_.full) {
      answer_full(std::move(document.reading));
    } else {
      answer_both(std::move(document));
    }
  }

  /// False where the store doesn't have the document, or not as it is asked for.
  bool answer_from_store(const std::string& text) {
    // What --full and --compare need is the whole memory, other documents' head scores have no name in the store, what
    // --keep auto comes to isn't known yet, and of several devices each has a part only.
    const bool unnamed = flags_.full || flags_.compare || heads_ || flags_.keep.is_automatic();
    if (unnamed || !engine_->model.has_tokenizer() || engine_->group) return false;
    store_.emplace(flags_.store, bar_);
    if (!store_->is_on()) return false;
    address_ = document_address(*engine_, text, flags_.keep, flags_.reading);
    const auto opened = store_->open(*engine_, address_, flags_.keep, flags_.reading);
    if (!opened) return false;
    report_.context_file = opened->path;
    answer_opened(*opened);
    return true;
  }

  void answer_opened(const OpenedContext& opened) {
    const ContextDescription& about = opened.description;
    report_.context_file_bytes = opened.file_bytes;
    report_.context_bytes_read = opened.bytes_read;
    report_.open_seconds = opened.seconds;
    report_.system_tokens = about.system_tokens;
    report_.document_tokens = about.held.len;
    report_.kv_bytes_full = cache_bytes(about.shape, about.system_tokens, about.held.len).kept(1);
    report_.compressed = true;
    report_.level = flags_.keep.level_given ? flags_.keep.level : level_name(about.level);
    report_.scoring = about.scoring;
    report_.kept_ratio = opened.ratio;
    report_.kv_bytes_kept = opened.context.bytes();
    flags_.reading.kv_type = dtype_name(about.shape.dtype);
    const ContextCut cut(opened.context, opened.context.held());
    answer_all(past_of(cut), report_.kept);
  }

  void answer_full(Reading&& reading) {
    if (!is_quantised(reading.kv_type)) return answer_all(past_of(reading.tail), report_.full);
    const Context context = hold_all(engine_->model, std::move(reading));
    report_.kv_bytes_full = sum_of_devices(engine_->model, context.bytes());
    const ContextCut cut(context, context.held());
    answer_all(past_of(cut), report_.full);
  }

  void answer_compressed(const std::string& text) {
    const CompressedDocument document = compress_document(
        *engine_, {flags_.file, text, flags_.reading, flags_.keep, heads_ ? &*heads_ : nullptr}, bar_);
    report_.system_tokens = document.system.size();
    report_.document_tokens = document.document.size();
    report_.prefill_seconds = document.reading_seconds;
    report_.scoring_seconds = document.scoring_seconds;
    report_.compression_seconds = document.compression_seconds;
    report_.kv_bytes_full = document.full_bytes;
    report_.threshold = document.threshold;
    note_compression(document.kept_ratio, document.full_bytes, document.kept_bytes, bar_);
    if (!address_.empty()) {
      const DocumentSource source = source_of(document.system, document.document, flags_.file, text);
      store_->add(address_, document.context, origin_of(*engine_, source, flags_.keep, document.ratio));
    }
    answer_kept(document.context, document.kept_ratio);
  }

  void answer_both(ReadDocument&& document) {
    Reading& reading = document.reading;
    ScoredDocument scored =
        score_and_select(*engine_, document, flags_.reading, flags_.keep, heads_ ? &*heads_ : nullptr, bar_);
    report_.scoring_seconds = scored.seconds;
    report_.threshold = scored.selection.threshold;
    bar_title_ = "full memory";
    answer_all(past_of(reading.tail), report_.full);
    report_.resident_bytes_full = resident_bytes();
    const Stopwatch compressing;
    const Context context =
        compress(engine_->model, std::move(reading), std::move(scored.scores), scored.selection.keep);
    report_.compression_seconds = compressing.seconds();
    const double kept_ratio = scored.selection.keep.ratio();
    note_compression(kept_ratio, report_.kv_bytes_full, sum_of_devices(engine_->model, context.bytes()), bar_);
    answer_kept(context, kept_ratio);
    report_.resident_bytes_kept = resident_bytes();
  }

  /// `ratio` is what it keeps of all heads: of several devices each has some.
  void answer_kept(const Context& context, double ratio) {
    report_.method = flags_.keep.method;
    report_.scoring = flags_.keep.mode.streams() ? flags_.keep.scored_by(engine_->gate_name) : flags_.keep.scoring;
    report_.level = flags_.keep.level;
    report_.compressed = true;
    report_.kv_bytes_kept = sum_of_devices(engine_->model, context.bytes());
    report_.kept_ratio = ratio;
    const ContextCut cut(context, context.held());
    bar_title_ = "kept memory";
    answer_all(past_of(cut), report_.kept);
  }

  void answer_all(const PastFn& past, std::vector<Answer>& answers) {
    const size_t position = report_.system_tokens + report_.document_tokens;
    Conversation conversation(engine_->model, past, position, flags_.reading.dtype());
    if (!questions_) return prompt(conversation);
    const bool streams = !flags_.compare && !flags_.output.json;
    const ProgressFn progress = bar_.stage(bar_title_, "answer");
    AnswerOptions options = streams ? streaming(flags_.answers) : flags_.answers;
    if (!streams) {
      options.on_text = [&](std::string_view) { return progress({bar_title_, answers.size(), questions_->size()}); };
    }
    report_.questions = *questions_;
    if (flags_.together > 1) return answer_groups(past, position, answers);
    for (const std::string& question : *questions_) {
      if (streams && questions_->size() > 1) bar_.note("> " + one_line(question));
      answers.push_back(conversation.ask(question, options));
      if (streams) end_answer(answers.back());
      throw_if_interrupted();
      conversation.reset();
      if (!streams) progress({bar_title_, answers.size(), questions_->size()});
    }
  }

  void answer_groups(const PastFn& past, size_t position, std::vector<Answer>& answers) {
    const bool prints = !flags_.compare && !flags_.output.json;
    const ProgressFn progress = bar_.stage(bar_title_, "answer");
    AnswerOptions options = flags_.answers;
    options.on_text = [&](std::string_view) { return progress({bar_title_, answers.size(), questions_->size()}); };
    while (answers.size() < questions_->size()) {
      const auto left = std::span<const std::string>(*questions_).subspan(answers.size());
      const auto group = left.first(std::min(flags_.together, left.size()));
      const size_t first = answers.size();
      std::vector<Answer> found =
          answer_together(engine_->model, past, position, flags_.reading.dtype(), group, options);
      throw_if_interrupted();
      answers.insert(answers.end(), std::make_move_iterator(found.begin()), std::make_move_iterator(found.end()));
      progress({bar_title_, answers.size(), questions_->size()});
      for (size_t i = first; prints && i < answers.size(); ++i) {
        if (questions_->size() > 1) bar_.note("> " + one_line((*questions_)[i]));
        fmt::print("{}", is_terminal(stdout) ? printable(answers[i].text) : answers[i].text);
        end_answer(answers[i]);
      }
    }
  }

  void prompt(Conversation& conversation) {
    bar_.note("Ask about the document; an empty line ends.");
    while (const auto question = prompt_line(true)) {
      const Answer answer = conversation.ask(*question, streaming(flags_.answers));
      end_answer(answer);
      conversation.reset();
      if (interrupted()) clear_interrupt();  // it cancelled this answer only
    }
  }

  void end_answer(const Answer& answer) {
    fmt::print("\n");
    std::fflush(stdout);
    note_answer(answer, bar_);
  }

  AskFlags flags_;  // once the context is there, its type too
  ProgressBar bar_;
  std::optional<HeadScores> heads_;
  std::optional<std::vector<std::string>> questions_;  // nothing: people are prompted
  std::optional<Engine> engine_;
  std::optional<DocumentStore> store_;
  std::string address_;  // of the document in the store; empty = it isn't used
  std::string bar_title_ = "answering";
  AskReport report_;
};

}  // namespace

std::function<void()> add_ask(CLI::App& command) {
  const auto flags = std::make_shared<AskFlags>();
  command.add_option("FILE", flags->file, "The document (- is standard input), or a .kvz file made of it")->required();
  command.add_option("QUESTION", flags->questions, "Questions; without any, lines of standard input or a prompt");
  command.add_option("--questions", flags->questions_file, "File with one question per line");
  auto* full = command.add_flag("--full", flags->full, "Answer from the full memory: nothing is scored or dropped");
  command.add_flag("--compare", flags->compare, "Answer twice, from the full and the compressed memory, and compare")
      ->excludes(full);
  command
      .add_option("--together", flags->together,
                  "Answer so many questions at once: more tokens per second in all, shown when they are complete")
      ->check(whole(1, 256))
      ->capture_default_str();
  add_keep_options(command, flags->keep);
  add_mode_options(command, flags->keep.mode);
  add_answer_options(command, flags->answers);
  add_engine_options(command, flags->engine);
  add_gpus_option(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_key_option(command, flags->key);
  add_store_options(command, flags->store);
  add_output_options(command, flags->output);
  command.footer(
      "The document is read and scored once, and kept in the store: the next question about it starts at once. Each "
      "question\nstarts from the same compressed memory, which no answer changes.\n"
      "Answers go to stdout as they are made, everything else to stderr.\n\n"
      "Examples:\n"
      "  kvzip ask report.txt \"Who signed it?\" \"When?\"         two questions, 30 % of the memory kept\n"
      "  kvzip ask report.txt --keep 200MiB                     whatever fits, then a prompt\n"
      "  kvzip ask report.txt --questions q.txt --compare       full and compressed side by side\n"
      "  kvzip ask long.txt --mode streaming \"Who signed it?\"    memory never holds the whole document\n"
      "  pdftotext report.pdf - | kvzip ask - \"Who signed it?\"  any text on standard input\n"
      "  kvzip ask report.kvz \"Who signed it?\" -k 0.1          from a context file of `kvzip compress`: at once\n"
      "  kvzip ask report.txt -k 10% --json \"Who signed it?\"    figures for scripts\n");
  return [flags] { Ask(*flags).run(); };
}

}  // namespace kvzip::cli
