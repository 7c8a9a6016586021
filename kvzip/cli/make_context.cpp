#include "kvzip/cli/make_context.h"

#include <fmt/format.h>

#include <optional>

#include "kvzip/cli/compressed_document.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/read_document.h"

namespace kvzip::cli {
namespace {

void make_from_document(const MakeFlags& flags, const HeadScores* heads, const MakeSteps& steps, ProgressBar& bar) {
  std::string text = read_document(flags.file);
  Engine engine = load_engine(flags.engine, bar);
  load_gate(engine, flags.keep.gate);
  if (steps.known && steps.known(engine, text)) return;
  const CompressedDocument document =
      compress_document(engine, {flags.file, text, flags.reading, flags.keep, heads}, bar);
  const DocumentSource source = source_of(document.system, document.document, flags.file, std::move(text));
  steps.made(document.context, origin_of(engine, source, flags.keep, document.ratio));
}

void make_from_file(const MakeFlags& flags, const HeadScores* heads, const MakeSteps& steps) {
  const ContextFile file = open_named_file(flags.file, flags.key, flags.keep);
  const ContextDescription& about = file.description();
  require_kv_type(file, flags.reading);
  const StoredCut cut = stored_cut(file, flags.keep, heads);
  const auto backend = make_cpu_backend();
  const Context context = Context::from_rows(*backend, file.rows(cut));
  const std::vector<TokenId> tokens = file.tokens();
  const std::string text = file.text();
  const auto all = std::span(tokens);
  steps.made(context, {.system = all.first(about.system_tokens),
                       .document = all.subspan(about.system_tokens),
                       .text = text,
                       .title = about.title,
                       .model_name = about.model_name,
                       .fingerprint = about.fingerprint,
                       .scoring = about.scoring,
                       .level = cut.ratio ? cut.level.value_or(about.level) : about.level,
                       .given_head_scores = cut.ratio ? heads != nullptr : about.given_head_scores,
                       .ratio = cut.ratio.value_or(about.ratio)});
}

}  // namespace

void make_context(const MakeFlags& flags, const MakeSteps& steps, ProgressBar& bar) {
  flags.keep.amount();
  std::optional<HeadScores> heads;
  if (!flags.keep.head_scores.empty()) heads = load_head_scores(flags.keep.head_scores);
  if (flags.file != "-" && is_context_file(flags.file)) {
    make_from_file(flags, heads ? &*heads : nullptr, steps);
  } else {
    make_from_document(flags, heads ? &*heads : nullptr, steps, bar);
  }
}

}  // namespace kvzip::cli
