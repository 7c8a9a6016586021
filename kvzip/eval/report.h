// Results of many documents put together: per task, method and ratio the mean score with its interval. Pure functions
// of the files.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kvzip/eval/bootstrap.h"
#include "kvzip/eval/record.h"

namespace kvzip {

/// A finished document, and what its times file says where there is one.
struct StoredResult {
  std::string path;
  DocumentRecord record;
  double reading_seconds = 0;
  double scoring_seconds = 0;
  std::vector<double> answer_seconds{};  ///< from the full memory, then from each cut; empty: not known
  std::vector<double> answer_tokens{};
};

/// All results below the folders (or in the files) named, by task, method and document. Throws Error{input} where one
/// can't be read, and where there are none.
std::vector<StoredResult> read_results(const std::vector<std::string>& places);

/// "kvzip pair", "snapkv local head": policy, scoring where it isn't exact, level.
std::string method_label(const EvalSettings& settings);

/// All documents of a task and model at one ratio.
struct ReportRow {
  double ratio = 1;
  double kept = 1;               ///< mean fraction of pairs that it came to
  Estimate score;                ///< mean of the documents' means
  Estimate relative;             ///< to the full memory's score; zero where that is zero
  Estimate log_p_right;          ///< mean log-probability of the right answers' tokens
  double same_answers = 0;       ///< share of answers that are the full memory's, letter by letter
  double p_answer = 0;           ///< mean probability of the full memory's answers' tokens
  double kv_bytes = 0;           ///< mean
  double tokens_per_second = 0;  ///< of answers, from the question on; 0 = not known
};

struct ReportTable {
  std::string task;
  std::string model;
  std::string method;
  size_t documents = 0;
  size_t questions = 0;
  double document_tokens = 0;     ///< mean
  double reading_seconds = 0;     ///< mean
  double scoring_seconds = 0;     ///< mean
  ReportRow full{};               ///< from the whole memory
  std::vector<ReportRow> rows{};  ///< most kept first
  std::vector<const StoredResult*> results{};
};

/// One table per task, model and method. `results` must outlive it. Throws Error{input} where documents of one table
/// were evaluated at different ratios.
std::vector<ReportTable> make_report(const std::vector<StoredResult>& results, const BootstrapOptions& options = {});

/// The tables as one Markdown text; as CSV with a line per ratio, the whole memory's ratio being "full".
std::string report_markdown(const std::vector<ReportTable>& tables);
std::string report_csv(const std::vector<ReportTable>& tables);
/// Score against the keep ratio, one panel per task and model, one line with its interval per method: a whole SVG file.
std::string report_svg(const std::vector<ReportTable>& tables);
/// All of it as one page that needs nothing else: charts, tables, needles by depth and length, and every answer.
std::string report_html(const std::vector<ReportTable>& tables);

}  // namespace kvzip
