// What `kvzip ask` has to report: the comparison of full and compressed memory as a table, or everything as JSON.
// Stateless.
#pragma once

#include <string>
#include <vector>

#include "kvzip/cli/json_output.h"
#include "kvzip/cli/table.h"

namespace kvzip::cli {

struct AskReport {
  std::string document;
  std::string model;
  size_t system_tokens = 0;
  size_t document_tokens = 0;
  double load_seconds = 0;
  double prefill_seconds = 0;
  double scoring_seconds = 0;
  double compression_seconds = 0;
  std::string context_file;  ///< where the context came from; empty = the document was read
  double open_seconds = 0;
  uint64_t context_file_bytes = 0;
  uint64_t context_bytes_read = 0;  ///< of the file
  bool compressed = false;          ///< what follows up to `questions` means nothing otherwise
  std::string method;
  std::string scoring;
  std::string level;
  double kept_ratio = 1;  ///< of the document's pairs
  float threshold = 0;
  size_t kv_bytes_full = 0;
  size_t kv_bytes_kept = 0;
  size_t resident_bytes_full = 0;  ///< of the process, 0 = not measured
  size_t resident_bytes_kept = 0;
  std::vector<std::string> questions;
  std::vector<Answer> full;  ///< one per question, or none
  std::vector<Answer> kept;  ///< one per question, or none
};

/// The demonstration: questions with both answers, memory, speed and times.
std::string comparison(const AskReport& report, const TableLook& look);
Json to_json(const AskReport& report);

}  // namespace kvzip::cli
