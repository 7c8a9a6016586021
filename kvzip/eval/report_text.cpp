// A report as Markdown and as CSV.
#include <fmt/format.h>

#include "kvzip/eval/report.h"

namespace kvzip {
namespace {

std::string text_percent(const Estimate& estimate) {
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", estimate.value * 100, estimate.low * 100, estimate.high * 100);
}

std::string markdown_row(const std::string& name, const ReportRow& row) {
  return fmt::format("| {} | {} | {} | {:.2f} | {:.0f} | {:.1f} |\n", name, text_percent(row.score),
                     text_percent(row.relative), row.log_p_right.value, row.same_answers * 100,
                     row.kv_bytes / (1024.0 * 1024));
}

/// A field of a CSV file, in quotes where it must be.
std::string field(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string out = "\"";
  for (const char c : text) out += c == '"' ? std::string("\"\"") : std::string(1, c);
  return out + "\"";
}

std::string csv_row(const ReportTable& table, const std::string& ratio, const ReportRow& row) {
  return fmt::format(
      "{},{},{},{},{},{},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.6f},{:.0f},{:.2f}\n",
      field(table.task), field(table.model), field(table.method), table.documents, table.questions, ratio, row.kept,
      row.score.value, row.score.low, row.score.high, row.relative.value, row.relative.low, row.relative.high,
      row.log_p_right.value, row.p_answer, row.same_answers, row.kv_bytes, row.tokens_per_second);
}

}  // namespace

std::string report_markdown(const std::vector<ReportTable>& tables) {
  std::string out;
  for (const ReportTable& table : tables) {
    out += fmt::format(
        "{}### {}, {}, {}\n\n{} documents of {:.0f} tokens on average, {} questions. In brackets: 95 % "
        "bootstrap intervals over documents.\n\n",
        out.empty() ? "" : "\n", table.task, table.model, table.method, table.documents, table.document_tokens,
        table.questions);
    out +=
        "| kept | score, % | of the full memory's, % | log p of the right answer | same answer, % | KV, MiB |\n"
        "| --- | --- | --- | --- | --- | --- |\n";
    out += markdown_row("full", table.full);
    for (const ReportRow& row : table.rows) out += markdown_row(fmt::format("{:g}", row.ratio), row);
  }
  return out;
}

std::string report_csv(const std::vector<ReportTable>& tables) {
  std::string out =
      "task,model,method,documents,questions,ratio,kept,score,score_low,score_high,relative,relative_low,relative_high,"
      "log_p_right,p_answer,same_answers,kv_bytes,tokens_per_second\n";
  for (const ReportTable& table : tables) {
    out += csv_row(table, "full", table.full);
    for (const ReportRow& row : table.rows) out += csv_row(table, fmt::format("{:g}", row.ratio), row);
  }
  return out;
}

}  // namespace kvzip
