#include "kvzip/cli/encoder_text.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <string_view>

#include "kvzip/base/error.h"
#include "kvzip/cli/read_document.h"

namespace kvzip::cli {

void add_text_options(CLI::App& command, TextFlags& flags) {
  auto* const file = command.add_option("FILE", flags.file, "The text; - is standard input");
  command.add_option("--text", flags.text, "The text itself")->excludes(file);
  command.add_option("--pair", flags.pair, "A second text, for models that read pairs");
}

namespace {

void require_text(const std::string& name, std::string_view text) {
  const auto refuse = [&](const std::string& found) {
    throw Error(ErrorCode::input, fmt::format("{}: expected text, found {}", name, found));
  };
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) refuse("none");
  const size_t zero = text.find('\0');
  if (zero != std::string_view::npos) refuse(fmt::format("a binary file (a zero byte at offset {})", zero));
}

}  // namespace

Texts read_texts(const TextFlags& flags) {
  if (!flags.text && flags.file.empty())
    throw Error(ErrorCode::usage, "text: expected a FILE or --text, found neither");
  Texts texts = flags.text ? Texts{"--text", *flags.text, flags.pair}
                           : Texts{document_name(flags.file), read_document(flags.file), flags.pair};
  require_text(texts.name, texts.first);
  if (texts.second) require_text("--pair", *texts.second);
  return texts;
}

}  // namespace kvzip::cli
