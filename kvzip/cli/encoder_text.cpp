#include "kvzip/cli/encoder_text.h"

#include <CLI/CLI.hpp>

#include "kvzip/base/error.h"
#include "kvzip/cli/read_document.h"

namespace kvzip::cli {

void add_text_options(CLI::App& command, TextFlags& flags) {
  auto* const file = command.add_option("FILE", flags.file, "The text; - is standard input");
  command.add_option("--text", flags.text, "The text itself")->excludes(file);
  command.add_option("--pair", flags.pair, "A second text, for models that read pairs");
}

Texts read_texts(const TextFlags& flags) {
  if (flags.text) return {"--text", *flags.text, flags.pair};
  if (flags.file.empty()) throw Error(ErrorCode::usage, "text: expected a FILE or --text, found neither");
  return {document_name(flags.file), read_document(flags.file), flags.pair};
}

}  // namespace kvzip::cli
