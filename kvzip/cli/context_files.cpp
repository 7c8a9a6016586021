#include "kvzip/cli/context_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "kvzip/base/quote.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/policy/methods.h"
#include "kvzip/store/fingerprint.h"

namespace kvzip::cli {
namespace {

/// A file's word for how it was scored, as KeepFlags::scored_by() put it together.
struct ScoredBy {
  std::string method;
  std::string scoring;
};

ScoredBy scored_by(const ContextDescription& about) {
  const size_t space = about.scoring.find(' ');
  if (space != std::string::npos) return {about.scoring.substr(0, space), about.scoring.substr(space + 1)};
  for (const ScoringMethod& method : scoring_methods()) {
    if (method.name == about.scoring) return {about.scoring, "exact"};
  }
  return {"kvzip", about.scoring};
}

}  // namespace

std::optional<ContextKey> load_key(const std::string& key_file) {
  if (key_file.empty()) return std::nullopt;
  return read_context_key(key_file);
}

ContextFile open_named_file(const std::string& path, const std::string& key_file, const KeepFlags& keep) {
  ContextFile file = ContextFile::open(path, {.key = load_key(key_file)});
  const auto [method, scoring] = scored_by(file.description());
  const auto require = [&](const char* flag, bool given, const std::string& wanted, const std::string& found) {
    if (!given || wanted == found || found.starts_with(wanted + "-")) return;  // gates have their names behind that
    throw Error(ErrorCode::usage, fmt::format("{} {}: {} was scored when it was made, with {} {}", flag, wanted, path,
                                              flag, quote(found, 40)));
  };
  require("--method", keep.method_given, keep.method, method);
  require("--scoring", keep.scoring_given, keep.scoring, scoring);
  return file;
}

void require_kv_type(const ContextFile& file, const ReadingFlags& reading) {
  const DType held = file.description().shape.dtype;
  if (!reading.kv_type_given || reading.dtype() == held) return;
  throw Error(ErrorCode::usage,
              fmt::format("--kv-type {}: {} holds its rows in {}", reading.kv_type, file.path(), dtype_name(held)));
}

StoredCut stored_cut(const ContextFile& file, const KeepFlags& keep, const HeadScores* heads) {
  const ContextDescription& about = file.description();
  StoredCut cut{.ratio = {}, .level = {}, .heads = heads};
  if (keep.level_given) cut.level = level_by_name(keep.level);
  if (!keep.keep_given) return cut;
  const KeepAmount amount = keep.amount();
  if (amount.unit == KeepAmount::Unit::automatic) {
    throw Error(ErrorCode::usage,
                fmt::format("--keep auto: needs the document itself, and {} is a context file", file.path()));
  }
  cut.ratio = keep_ratio(amount, about.shape, about.system_tokens, about.held.len);
  // An amount of bytes or tokens is a bound: a file that holds less is within it.
  if (amount.unit != KeepAmount::Unit::ratio) cut.ratio = std::min(*cut.ratio, about.ratio);
  return cut;
}

OpenedContext open_context(const Engine& engine, const ContextFile& file, const ContextRequest& request,
                           ProgressBar& bar) {
  const Stopwatch watch;
  const ContextDescription& about = file.description();
  require_fit(file.path(), about.fingerprint, fingerprint_of(engine.model));
  require_kv_type(file, *request.reading);
  const uint64_t file_bytes = file.header().file_bytes;
  ContextRows rows = file.rows(stored_cut(file, *request.keep, request.heads));
  throw_if_interrupted();
  OpenedContext opened{
      file.path(),       about, Context::from_rows(engine.model.backend(), std::move(rows)), 1, file_bytes,
      file.bytes_read(), 0};
  engine.model.backend().synchronize();
  opened.ratio = opened.context.held().ratio();
  opened.seconds = watch.seconds();
  bar.note("context",
           fmt::format("{}: {} of {}, {} of its {} read, {}", one_line(about.title), format_percent(opened.ratio),
                       counted(about.held.len, "token"), format_bytes(opened.bytes_read), format_bytes(file_bytes),
                       format_seconds(opened.seconds)));
  return opened;
}

DocumentSource source_of(std::vector<TokenId> system, std::vector<TokenId> document, const std::string& path,
                         std::string text) {
  const std::string name = path == "-" ? document_name(path) : std::filesystem::path(path).filename().string();
  return {std::move(system), std::move(document), std::move(text), name};
}

ContextOrigin origin_of(const Engine& engine, const DocumentSource& source, const KeepFlags& keep, double ratio) {
  return {.system = source.system,
          .document = source.document,
          .text = source.text,
          .title = source.title,
          .model_name = engine.model.config().name,
          .fingerprint = fingerprint_of(engine.model),
          .scoring = keep.scored_by(engine.gate_name),
          .level = level_by_name(keep.level),
          .given_head_scores = !keep.head_scores.empty(),
          .ratio = std::min(ratio, 1.0)};
}

}  // namespace kvzip::cli
