// A document's compressed memory, made in one go or chunk by chunk, as --mode says. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvzip/cli/context_files.h"
#include "kvzip/cli/engine.h"

namespace kvzip::cli {

struct CompressedDocument {
  Context context;
  std::vector<TokenId> system;
  std::vector<TokenId> document;
  double ratio = 1;  ///< that was asked for
  float threshold = 0;
  double kept_ratio = 1;  ///< that it came to
  size_t full_bytes = 0;  ///< of keys and values with nothing dropped, as they are read; of all devices
  size_t kept_bytes = 0;
  double reading_seconds = 0;
  double scoring_seconds = 0;
  double compression_seconds = 0;  ///< 0 where it is part of the scoring
};
struct DocumentRequest {
  std::string path;  ///< for errors
  std::string_view text;
  const ReadingFlags& reading;
  const KeepFlags& keep;
  const HeadScores* heads = nullptr;  ///< those of --head-scores
};
CompressedDocument compress_document(const Engine& engine, const DocumentRequest& request, ProgressBar& bar);
/// Says what became of a document.
void note_compression(double kept_ratio, size_t full_bytes, size_t kept_bytes, ProgressBar& bar);

}  // namespace kvzip::cli
