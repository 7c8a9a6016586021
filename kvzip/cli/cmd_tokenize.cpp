// `kvzip tokenize`: the tokens of a text, as the model sees them.
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
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {
namespace {

struct TokenizeFlags {
  std::string file;
  std::string text;
  bool has_text = false;
  bool ids_only = false;
  EngineFlags engine;
  OutputFlags output;
};

// Quiet backgrounds that take turns, so that the borders between tokens show.
constexpr std::array<int, 4> kBackgrounds = {24, 58, 53, 22};

/// The token's text; control tokens, which stand for no text, as the vocabulary spells them.
std::string_view shown(const Tokenizer& tokenizer, TokenId id) {
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
    const std::string piece = escaped(shown(tokenizer, ids[i]));
    fmt::print("{:>7}  {}\n", ids[i],
               colours ? on_background(piece, kBackgrounds[i % kBackgrounds.size()], false) : piece);
  }
}

Json pieces_json(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  Json tokens = Json::array();
  for (const TokenId id : ids) tokens.push_back({{"id", id}, {"piece", shown(tokenizer, id)}});
  return tokens;
}

std::string source(const TokenizeFlags& flags) {
  if (flags.has_text) return flags.text;
  if (!flags.file.empty()) return read_document(flags.file);
  if (is_terminal(stdin)) throw Error(ErrorCode::usage, "tokenize: expected a FILE, --text or text on standard input");
  return read_document("-");
}

void run_tokenize(const TokenizeFlags& flags) {
  const std::string text = source(flags);
  const std::unique_ptr<Tokenizer> tokenizer = load_tokenizer(find_model(flags.engine.model));
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
  command.add_flag("--ids", flags->ids_only, "Only the numbers, on one line");
  add_model_option(command, flags->engine);
  add_output_options(command, flags->output);
  command.footer(
      "One line per token: its number and its text. No special tokens are added; those that the text spells out count "
      "as such.\n\n"
      "Examples:\n"
      "  kvzip tokenize --text \"Hello, world\"\n"
      "  kvzip tokenize report.txt --ids | wc -w\n");
  return [flags, text] {
    flags->has_text = text->count() > 0;
    run_tokenize(*flags);
  };
}

}  // namespace kvzip::cli
