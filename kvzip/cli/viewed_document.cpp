#include "kvzip/cli/viewed_document.h"

#include <algorithm>
#include <filesystem>

#include "kvzip/cli/read_document.h"
#include "kvzip/store/fingerprint.h"
#include "kvzip/view/token_texts.h"

namespace kvzip::cli {
namespace {

constexpr double kFirstKeep = 0.3;

}  // namespace

std::string shown_name(const std::string& path) {
  return path == "-" ? document_name(path) : std::filesystem::path(path).filename().string();
}

double first_keep(const std::string& keep, double most, const CacheShape& shape, size_t system_len,
                  size_t document_len) {
  return keep.empty() ? std::min(kFirstKeep, most) : keep_ratio(parse_keep(keep), shape, system_len, document_len);
}

ViewedDocument viewed_text(const Engine& engine, const std::string& path, const std::string& text,
                           const ReadingFlags& reading, const std::string& keep, ProgressBar& bar) {
  const Reading document = read(engine, path, text, reading, bar).reading;
  const CacheShape shape = document.context_shape();
  const CacheBytes bytes = cache_bytes(shape, document.system.size(), document.document.size());
  ViewedDocument viewed;
  viewed.name = shown_name(path);
  viewed.model = engine.model.config().name;
  viewed.system_tokens = document.system.size();
  viewed.token_texts = token_texts(engine.model.tokenizer(), document.document);
  viewed.layers = shape.global_layers();
  viewed.bytes_fixed = bytes.fixed;
  viewed.bytes_document = bytes.document;
  // An amount that can't be kept is known before the scoring.
  viewed.keep = first_keep(keep, 1, shape, document.system.size(), document.document.size());
  viewed.scores = score(engine.model, document, {.batch = reading.batch, .progress = bar.stage("scoring")});
  return viewed;
}

ViewedDocument viewed_context(const Engine& engine, const ContextFile& file, const std::string& keep) {
  const ContextDescription& about = file.description();
  require_fit(file.path(), about.fingerprint, fingerprint_of(engine.model));
  const CacheBytes bytes = cache_bytes(about.shape, about.system_tokens, about.held.len);
  const std::vector<TokenId> tokens = file.tokens();
  ViewedDocument viewed;
  viewed.name = about.title;
  viewed.model = engine.model.config().name;
  viewed.system_tokens = about.system_tokens;
  viewed.token_texts = token_texts(engine.model.tokenizer(), std::span(tokens).subspan(about.system_tokens));
  viewed.layers = about.shape.global_layers();
  viewed.bytes_fixed = bytes.fixed;
  viewed.bytes_document = bytes.document;
  viewed.most = about.holds_all() ? 1 : about.ratio;
  viewed.keep = first_keep(keep, viewed.most, about.shape, about.system_tokens, about.held.len);
  viewed.scores = restore_scores(file.ranking(), about.held, file.path());
  viewed.close_scores = true;
  stored_keep(about, viewed.scores, {.ratio = viewed.keep, .level = Level::pair}, file.path());
  return viewed;
}

}  // namespace kvzip::cli
