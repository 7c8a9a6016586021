// `kvzip tokenize`: the tokens of a text, as the model sees them, or as other ways of cutting it do.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/splitting.h"
#include "kvzip/cli/splitting_report.h"
#include "kvzip/cli/terminal.h"
#include "kvzip/cli/tokenizer_file.h"
#include "kvzip/text/require_text.h"

namespace kvzip::cli {
namespace {

struct TokenizeFlags {
  std::string file;
  std::string text;
  bool has_text = false;
  bool ids_only = false;
  std::string tokenizer;  ///< a file; empty: the model's
  std::string encoding;   ///< of a .tiktoken file; empty: by its name
  bool has_model = false;
  std::vector<std::string> kinds;  ///< empty: just the tokens
  EngineFlags engine;
  OutputFlags output;
};

/// The token's text; control tokens, which stand for no text, as the vocabulary spells them.
std::string_view shown_piece(const Tokenizer& tokenizer, TokenId id) {
  const std::string_view piece = tokenizer.piece(id);
  return piece.empty() ? tokenizer.spelling(id) : piece;
}

/// In double quotes, with what would not show as escapes.
std::string escaped(std::string_view piece) {
  std::string text = Json(piece).dump(-1, ' ', false, Json::error_handler_t::replace);
  return printable(text);
}

void print_pieces(const Tokenizer& tokenizer, std::span<const TokenId> ids, bool colours) {
  for (size_t i = 0; i < ids.size(); ++i) {
    const std::string piece = escaped(shown_piece(tokenizer, ids[i]));
    fmt::print("{:>7}  {}\n", ids[i],
               colours ? on_background(piece, kQuietBackgrounds[i % kQuietBackgrounds.size()], false) : piece);
  }
}

Json pieces_json(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  Json tokens = Json::array();
  for (const TokenId id : ids) tokens.push_back({{"id", id}, {"piece", shown_piece(tokenizer, id)}});
  return tokens;
}

std::string source_name(const TokenizeFlags& flags) {
  return flags.has_text ? "--text" : document_name(flags.file.empty() ? "-" : flags.file);
}

std::string source(const TokenizeFlags& flags) {
  if (flags.has_text) return flags.text;
  if (!flags.file.empty()) return read_document(flags.file);
  if (is_terminal(stdin)) throw Error(ErrorCode::usage, "tokenize: expected a FILE, --text or text on standard input");
  return read_document("-");
}

std::unique_ptr<Tokenizer> tokenizer_of(const TokenizeFlags& flags) {
  if (!flags.tokenizer.empty()) return read_tokenizer(flags.tokenizer, flags.encoding);
  return load_tokenizer(find_model(flags.engine.model));
}

/// The kinds that were asked for, without repetitions, in the order of the table.
std::vector<std::string> wanted_kinds(const std::vector<std::string>& asked) {
  const auto is_asked = [&](const std::string& kind) {
    return std::find(asked.begin(), asked.end(), kind) != asked.end();
  };
  std::vector<std::string> wanted;
  for (const std::string& kind : splitting_kinds()) {
    if (is_asked("all") || is_asked(kind)) wanted.push_back(kind);
  }
  return wanted;
}

void compare_kinds(const TokenizeFlags& flags) {
  const std::vector<std::string> kinds = wanted_kinds(flags.kinds);
  std::unique_ptr<Tokenizer> tokenizer;
  if (flags.has_model || !flags.tokenizer.empty()) {
    tokenizer = tokenizer_of(flags);
    const std::string own = kind_of(*tokenizer);
    if (std::find(kinds.begin(), kinds.end(), own) == kinds.end())
      throw Error(ErrorCode::usage,
                  fmt::format("--kind: expected {} among them, which the tokenizer is", tokenizer->description()));
  }
  const std::string text = source(flags);
  require_text(source_name(flags), text);
  ProgressBar bar(flags.output.quiet);
  std::vector<Splitting> splittings;
  splittings.reserve(kinds.size());
  for (const std::string& kind : kinds)
    splittings.push_back(split_text(kind, {source_name(flags), text}, tokenizer.get(), bar));
  if (!flags.output.json) {
    fmt::print("{}", splitting_report(splittings, terminal_width(stdout), wants_colours(stdout)));
    return;
  }
  Json json = {{"bytes", text.size()}, {"kinds", Json::array()}};
  for (const Splitting& each : splittings) json["kinds"].push_back(to_json(each));
  print_json(json);
}

void run_tokenize(const TokenizeFlags& flags) {
  if (!flags.kinds.empty()) return compare_kinds(flags);
  const std::string text = source(flags);
  const std::unique_ptr<Tokenizer> tokenizer = tokenizer_of(flags);
  const std::vector<TokenId> ids = tokenizer->encode(text);
  if (flags.output.json) {
    Json json = {{"tokenizer", tokenizer->description()}, {"count", ids.size()}, {"bytes", text.size()}};
    json[flags.ids_only ? "ids" : "tokens"] = flags.ids_only ? Json(ids) : pieces_json(*tokenizer, ids);
    print_json(json);
    return;
  }
  if (flags.ids_only) {
    fmt::print("{}\n", fmt::join(ids, " "));
  } else {
    print_pieces(*tokenizer, ids, wants_colours(stdout));
  }
  std::fflush(stdout);
  ProgressBar(flags.output.quiet)
      .note(fmt::format("{} of {} in {}, {:.2f} bytes each", counted(ids.size(), "token"), tokenizer->description(),
                        counted(text.size(), "byte"),
                        static_cast<double>(text.size()) / static_cast<double>(std::max<size_t>(ids.size(), 1))));
}

}  // namespace

std::function<void()> add_tokenize(CLI::App& command) {
  const auto flags = std::make_shared<TokenizeFlags>();
  auto* file = command.add_option("FILE", flags->file, "The text; - is standard input");
  auto* text = command.add_option("--text", flags->text, "The text itself")->excludes(file);
  auto* ids = command.add_flag("--ids", flags->ids_only, "Only the numbers, on one line");
  std::vector<std::string> kinds = splitting_kinds();
  kinds.emplace_back("all");
  command
      .add_option(
          "--kind", flags->kinds,
          "Compare ways of cutting text: whitespace, word, character, sentence, bpe, wordpiece, unigram or all; "
          "several with commas")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->take_all()
      ->check(CLI::IsMember(kinds))
      ->excludes(ids);
  add_model_option(command, flags->engine);
  auto* model = command.get_option("--model");
  auto* tokenizer =
      command
          .add_option("--tokenizer", flags->tokenizer,
                      "A tokenizer.json, SentencePiece .model, .tiktoken or .gguf file instead of a model")
          ->excludes(model);
  command
      .add_option("--encoding", flags->encoding,
                  "What a .tiktoken file is: cl100k_base, o200k_base, llama3, qwen, ... (default: its name)")
      ->needs(tokenizer);
  add_output_options(command, flags->output);
  command.footer(
      "One line per token: its number and its text. No special tokens are added; those that the text spells out count "
      "as such.\n\n"
      "With --kind, bpe, wordpiece and unigram use the vocabulary of -m or --tokenizer if one is given; otherwise each "
      "learns a small one from the text.\n\n"
      "Examples:\n"
      "  kvzip tokenize --text \"Hello, world\"\n"
      "  kvzip tokenize report.txt --ids | wc -w\n"
      "  kvzip tokenize report.txt --kind all\n"
      "  kvzip tokenize report.txt --kind word,bpe --tokenizer tokenizer.json\n");
  return [flags, text, model] {
    flags->has_text = text->count() > 0;
    flags->has_model = model->count() > 0;
    run_tokenize(*flags);
  };
}

}  // namespace kvzip::cli
