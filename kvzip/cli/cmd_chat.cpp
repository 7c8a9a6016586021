// `kvzip chat`: a conversation over a document's compressed memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <optional>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/compressed_document.h"
#include "kvzip/cli/context_files.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/document_store.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/questions.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/streaming.h"
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {
namespace {

struct ChatFlags {
  std::string file;
  bool full = false;
  std::string key;
  StoreFlags store;
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
  AnswerOptions answers;
  bool quiet = false;
};

constexpr std::string_view kHelp =
    "/reset  forget what was said; the document stays\n"
    "/stats  memory of the document and of the conversation\n"
    "/help   this list\n"
    "/quit   end (so does Ctrl-D)\n";

struct Chat {
  Conversation conversation;
  size_t document_bytes;
  size_t said = 0;  // questions since the last reset

  std::string stats() const {
    return fmt::format("document {}, conversation {} in {}\n", format_bytes(document_bytes),
                       format_bytes(conversation.bytes()), counted(said, "turn"));
  }

  /// Does what a line that starts with / says; false ends the chat.
  bool command(std::string_view line) {
    if (line == "/quit" || line == "/exit") return false;
    if (line == "/reset") {
      conversation.reset();
      said = 0;
    }
    const std::string reply = line == "/help"    ? std::string(kHelp)
                              : line == "/stats" ? stats()
                              : line == "/reset"
                                  ? "forgotten\n"
                                  : fmt::format("{}: unknown; /help lists what there is\n", one_line(line));
    fmt::print(stderr, "{}", reply);
    return true;
  }

  void turn(std::string_view question, const AnswerOptions& options, ProgressBar& bar) {
    try {
      const Answer answer = conversation.ask(question, streaming(options));
      fmt::print("\n");
      std::fflush(stdout);
      note_answer(answer, bar);
      ++said;
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      fmt::print(stderr, "kvzip: {}; /reset makes room\n", error.what());  // the conversation is as before
    }
    if (interrupted()) clear_interrupt();  // it cancelled this answer only
  }

  void run(const AnswerOptions& options, ProgressBar& bar) {
    const bool terminal = is_terminal(stdin);
    bar.note("Ask about the document; /help lists commands, /quit ends.");
    for (;;) {
      const auto line = prompt_line(terminal);
      if (line && line->front() == '/') {
        if (!command(*line)) return;
      } else if (line) {
        turn(*line, options, bar);
      } else if (!std::cin) {
        return;
      }
    }
  }
};

void chat_over(const Engine& engine, const Context& context, const ChatFlags& flags, ProgressBar& bar) {
  const ContextCut cut(context, context.held());
  Chat{Conversation(engine.model, past_of(cut), context.read_tokens(), context.shape().dtype), context.bytes()}.run(
      flags.answers, bar);
}

void chat_from_file(const ChatFlags& flags, const HeadScores* heads, ProgressBar& bar) {
  if (flags.full) {
    throw Error(ErrorCode::usage,
                fmt::format("--full: needs the document itself, and {} is a context file", flags.file));
  }
  const ContextFile file = open_named_file(flags.file, flags.key, flags.keep);
  const Engine engine = load_engine(flags.engine, bar);
  const OpenedContext opened = open_context(engine, file, {&flags.keep, heads, &flags.reading}, bar);
  chat_over(engine, opened.context, flags, bar);
}

void chat_in_full(const Engine& engine, const std::string& text, const ChatFlags& flags, ProgressBar& bar) {
  ReadDocument document = read(engine, flags.file, text, flags.reading, bar);
  if (is_quantised(flags.reading.dtype()))
    return chat_over(engine, hold_all(engine.model, std::move(document.reading)), flags, bar);
  const Tail& tail = document.reading.tail;
  Chat{Conversation(engine.model, past_of(tail), document.tokens(), flags.reading.dtype()), tail.bytes()}.run(
      flags.answers, bar);
}

void run_chat(const ChatFlags& flags) {
  if (flags.file == "-") throw Error(ErrorCode::usage, "chat -: standard input holds the conversation; name a file");
  flags.keep.amount();
  check_answer_options(flags.answers);
  std::optional<HeadScores> heads;
  if (!flags.keep.head_scores.empty()) heads = load_head_scores(flags.keep.head_scores);
  ProgressBar bar(flags.quiet);
  if (is_context_file(flags.file)) return chat_from_file(flags, heads ? &*heads : nullptr, bar);
  const std::string text = read_document(flags.file);
  Engine engine = load_engine(flags.engine, bar);
  load_gate(engine, flags.keep.gate);
  if (flags.full) return chat_in_full(engine, text, flags, bar);
  DocumentStore store(flags.store, bar);
  std::string address;  // empty = the store isn't used
  if (store.is_on() && !heads && !flags.keep.is_automatic() && engine.model.has_tokenizer())
    address = document_address(engine, text, flags.keep, flags.reading);
  if (!address.empty()) {
    if (const auto opened = store.open(engine, address, flags.keep, flags.reading))
      return chat_over(engine, opened->context, flags, bar);
  }
  const CompressedDocument document =
      compress_document(engine, {flags.file, text, flags.reading, flags.keep, heads ? &*heads : nullptr}, bar);
  note_compression(document.kept_ratio, document.full_bytes, document.kept_bytes, bar);
  if (!address.empty()) {
    const DocumentSource source = source_of(document.system, document.document, flags.file, text);
    store.add(address, document.context, origin_of(engine, source, flags.keep, document.ratio));
  }
  chat_over(engine, document.context, flags, bar);
}

}  // namespace

std::function<void()> add_chat(CLI::App& command) {
  const auto flags = std::make_shared<ChatFlags>();
  command.add_option("FILE", flags->file, "The document, or a .kvz file made of it")->required();
  command.add_flag("--full", flags->full, "Keep the full memory: nothing is scored or dropped");
  add_key_option(command, flags->key);
  add_store_options(command, flags->store);
  add_keep_options(command, flags->keep);
  add_mode_options(command, flags->keep.mode);
  add_answer_options(command, flags->answers);
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  command.add_flag("-q,--quiet", flags->quiet, "No progress and no remarks on stderr");
  command.footer(
      std::string("The document's memory is compressed; the conversation's own is kept whole, until /reset.\n\nIn the "
                  "chat:\n") +
      std::string(kHelp) +
      "\nExamples:\n  kvzip chat report.txt\n  kvzip chat report.txt --keep 0.1 --temperature 0.7 --seed 1\n");
  return [flags] { run_chat(*flags); };
}

}  // namespace kvzip::cli
