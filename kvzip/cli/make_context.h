// Contexts made for files: from a document that is read, or from another context file. Stateless.
#pragma once

#include <functional>
#include <string>

#include "kvzip/cli/context_files.h"

namespace kvzip::cli {

struct MakeFlags {
  std::string file;  ///< the document, "-" for standard input, or a context file
  std::string key;   ///< of a context file
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
};

struct MakeSteps {
  /// Before a document is read; true ends it there.
  std::function<bool(const Engine& engine, const std::string& text)> known{};
  std::function<void(const Context& context, const ContextOrigin& origin)> made;
};

/// Reads, scores and compresses the document, or cuts the context file (which needs no model), and hands on what came
/// of it. Throws as reading and opening do.
void make_context(const MakeFlags& flags, const MakeSteps& steps, ProgressBar& bar);

}  // namespace kvzip::cli
