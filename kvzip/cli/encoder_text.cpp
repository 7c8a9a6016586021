#include "kvzip/cli/encoder_text.h"

#include <CLI/CLI.hpp>

#include "kvzip/base/error.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/text/require_text.h"

namespace kvzip::cli {

void add_text_options(CLI::App& command, TextFlags& flags) {
  auto* const file = command.add_option("FILE", flags.file, "The text; - is standard input");
  command.add_option("--text", flags.text, "The text itself")->excludes(file);
  command.add_option("--pair", flags.pair, "A second text, for models that read pairs");
}

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
