// What `kvzip view` shows of a document that it reads and scores. Stateless.
#pragma once

#include <string>

#include "kvzip/cli/engine.h"
#include "kvzip/view/page.h"

namespace kvzip::cli {

/// How pages name a document: they are passed on, and must not tell the folders of whoever made them.
std::string shown_name(const std::string& path);

/// The document at `path` ("-" for standard input) that holds `text`. `keep` is where the page's slider stands at
/// first; empty: at 0.3. Throws Error{usage} for an amount that can't be kept.
ViewedDocument viewed_text(const Engine& engine, const std::string& path, const std::string& text,
                           const ReadingFlags& reading, const std::string& keep, ProgressBar& bar);

}  // namespace kvzip::cli
