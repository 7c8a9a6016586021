// What is known about one evaluated document: everything that is the same whenever it is evaluated again. Times are
// not.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/eval/metrics.h"

namespace kvzip {

/// One answer, and what the memory that gave it thinks of the full memory's answer and of the right one.
struct AnswerRecord {
  std::string text;
  double score = 0;           ///< by the question's metric, in [0, 1]
  double p_answer = 0;        ///< mean probability of the full memory's answer's tokens
  double log_p_answer = 0;    ///< mean natural logarithm of it
  double min_margin = 0;      ///< narrowest gap between the two likeliest tokens along that answer
  std::vector<size_t> flips;  ///< positions in it at which another token is the likeliest
  double log_p_right = 0;     ///< mean natural logarithm of the probability of the right answer's tokens
};

struct QuestionRecord {
  std::string question;
  std::string answer;  ///< the right one
  std::string metric;
  AnswerRecord full;
  std::vector<AnswerRecord> pruned;  ///< one per cut
};

/// One keep ratio.
struct CutRecord {
  double ratio = 1;      ///< that was asked for
  double kept = 1;       ///< fraction of the document's pairs that it came to
  double threshold = 0;  ///< 0 where the level has none
  size_t kv_bytes = 0;
};

/// What decides an evaluation's results, but for the document's number.
struct EvalSettings {
  std::string task;
  std::string model;  ///< a short name for files and tables
  std::string weights;
  std::string chat_template;
  std::string level;
  std::string policy;
  std::string scoring;
  std::string kv_type;
  std::string device;
  std::string files;  ///< empty: what is built in
  size_t tokens = 0;  ///< of generated documents; 0: they come from files
  uint64_t seed = 0;
  size_t max_questions = 0;  ///< of each document; 0 = all
  std::vector<double> ratios;
  std::string version;
};

struct DocumentRecord {
  EvalSettings settings;
  size_t index = 0;
  size_t system_tokens = 0;
  size_t document_tokens = 0;
  size_t kv_bytes_full = 0;
  std::optional<double> depth;  ///< of the needle
  std::vector<CutRecord> cuts;
  std::vector<QuestionRecord> questions;
};

/// As JSON in the original implementation's shape, `{"qa": [[[ratio, kept, threshold], {pruned, full__, answer, ...}],
/// ...], "qa-1": ...}` with one key per question, and what it lacks under "settings", "document" and "questions".
/// Numbers are rounded to six digits.
nlohmann::ordered_json to_json(const DocumentRecord& record);
nlohmann::ordered_json to_json(const EvalSettings& settings);

/// What to_json() wrote. Throws Error{input} naming `file` and what is missing or of another kind.
DocumentRecord parse_record(const std::string& file, std::string_view json_text);
DocumentRecord read_record(const std::string& path);

}  // namespace kvzip
