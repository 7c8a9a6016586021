// What `kvzip view` shows: of a document that is read and scored, or of a context file. Stateless.
#pragma once

#include <string>

#include "kvzip/cli/engine.h"
#include "kvzip/store/context_file.h"
#include "kvzip/view/page.h"

namespace kvzip::cli {

/// How pages name a document: they are passed on, and must not tell the folders of whoever made them.
std::string shown_name(const std::string& path);
/// The ratio that `keep` asks for; where it is empty 0.3, or `most` if that is less. Throws Error{usage} for an amount
/// that can't be kept.
double first_keep(const std::string& keep, double most, const CacheShape& shape, size_t system_len,
                  size_t document_len);

/// The document at `path` ("-" for standard input) that holds `text`. `keep` is where the page's slider stands at
/// first; empty: at 0.3. Throws Error{usage} for an amount that can't be kept.
ViewedDocument viewed_text(const Engine& engine, const std::string& path, const std::string& text,
                           const ReadingFlags& reading, const std::string& keep, ProgressBar& bar);

/// The document of a context file, as far as the file holds it; only its tokens and scores are read. Throws
/// Error{input} where the file was made with another model or is damaged, Error{usage} where it holds less than `keep`
/// or was cut by another level than `pair`.
ViewedDocument viewed_context(const Engine& engine, const ContextFile& file, const std::string& keep);

}  // namespace kvzip::cli
