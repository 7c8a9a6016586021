#include "kvzip/cli/viewed_document.h"

#include <filesystem>

#include "kvzip/cli/read_document.h"
#include "kvzip/view/token_texts.h"

namespace kvzip::cli {
std::string shown_name(const std::string& path) {
  return path == "-" ? document_name(path) : std::filesystem::path(path).filename().string();
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
  viewed.keep = keep_ratio(parse_keep(keep), shape, document.system.size(), document.document.size());
  viewed.scores = score(engine.model, document, {.batch = reading.batch, .progress = bar.stage("scoring")});
  return viewed;
}

}  // namespace kvzip::cli
