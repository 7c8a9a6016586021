// A report as one page that needs no other file and no network.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "kvzip/eval/changed_words.h"
#include "kvzip/eval/report_charts.h"

namespace kvzip {
namespace {

constexpr std::string_view kStyle = R"(
body{background:var(--ground);color:var(--ink);font:15px/1.5 system-ui,sans-serif;max-width:1180px;margin:2rem auto;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}h3{font-size:1rem;margin:1.5rem 0 .3rem}
a{color:var(--c0)}p.note{color:var(--faint)}
table{border-collapse:collapse;margin:.5rem 0 1rem;font-variant-numeric:tabular-nums}
th,td{padding:.25rem .7rem;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
th{color:var(--faint);font-weight:500}td.text,th.text{text-align:left}
details{border-top:1px solid var(--rule);padding:.4rem 0}summary{cursor:pointer}
ins{color:var(--c2);text-decoration:none}del{color:var(--c1)}
.charts{display:flex;flex-wrap:wrap;gap:.5rem}.wide{overflow-x:auto}
)";

std::string html_percent(const Estimate& estimate) {
  return fmt::format("{:.1f} <small>({:.1f} to {:.1f})</small>", estimate.value * 100, estimate.low * 100,
                     estimate.high * 100);
}

std::string anchor(const ReportTable& table) {
  std::string name = table.task + "-" + table.model + "-" + table.method;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == ' ' || c == '"' || c == '<' || c == '&'; }, '-');
  return name;
}

std::string row_html(const std::string& name, const ReportRow& row) {
  const std::string rate = row.tokens_per_second > 0 ? fmt::format("{:.0f}", row.tokens_per_second) : "";
  return fmt::format(
      "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.2f}</td><td>{:.0f}</td><td>{:.2f}</td><td>{:.1f}</td>"
      "<td>{}</td></tr>\n",
      name, html_percent(row.score), html_percent(row.relative), row.log_p_right.value, row.same_answers * 100,
      row.p_answer, row.kv_bytes / (1024.0 * 1024), rate);
}

std::string table_html(const ReportTable& table) {
  std::string out =
      fmt::format("<h3>{}, {}, {}</h3>\n<p class=\"note\">{} documents of {:.0f} tokens on average, {} questions",
                  escape_markup(table.task), escape_markup(table.model), escape_markup(table.method), table.documents,
                  table.document_tokens, table.questions);
  if (table.reading_seconds > 0)
    out += fmt::format("; reading took {:.2f} s, scoring {:.2f} s each", table.reading_seconds, table.scoring_seconds);
  out += fmt::format(
      ". <a href=\"#{}\">Answers</a></p>\n<div class=\"wide\"><table><tr><th>kept</th><th>score, %</th>"
      "<th>of the full memory's, %</th><th>log p of the right answer</th><th>same answer, %</th>"
      "<th>p of the full answer</th><th>KV, MiB</th><th>tokens/s</th></tr>\n",
      anchor(table));
  out += row_html("full", table.full);
  for (const ReportRow& row : table.rows) out += row_html(fmt::format("{:g} %", row.ratio * 100), row);
  return out + "</table></div>\n";
}

/// Scores of documents with a needle, by its depth and the document's length, at one cut.
std::string needle_map(const ReportTable& table, size_t cut) {
  std::map<size_t, std::map<int, std::vector<double>>> cells;  // length, depth in %
  std::map<int, bool> depths;
  for (const StoredResult* result : table.results) {
    const DocumentRecord& record = result->record;
    if (!record.depth) continue;
    const size_t length = record.settings.tokens != 0 ? record.settings.tokens : record.document_tokens;
    const int depth = static_cast<int>(std::lround(*record.depth * 100));
    depths[depth] = true;
    for (const QuestionRecord& question : record.questions) cells[length][depth].push_back(question.pruned[cut].score);
  }
  if (cells.empty()) return "";
  HeatMap map{fmt::format("{}: {:g} % kept", table.method, table.results.front()->record.cuts[cut].ratio * 100),
              "tokens",
              "depth, %",
              {},
              {},
              {}};
  for (const auto& [depth, seen] : depths) map.columns.push_back(std::to_string(depth));
  for (const auto& [length, row] : cells) {
    map.rows.push_back(std::to_string(length));
    for (const auto& [depth, seen] : depths) {
      const auto found = row.find(depth);
      if (found == row.end()) {
        map.values.emplace_back();
        continue;
      }
      double sum = 0;
      for (const double score : found->second) sum += score;
      map.values.emplace_back(sum / static_cast<double>(found->second.size()));
    }
  }
  return draw_heat_map(map);
}

std::string question_html(const DocumentRecord& record, const QuestionRecord& question) {
  std::string out = fmt::format(
      "<table><tr><td class=\"text\" colspan=\"4\"><b>{}</b><br>right: {}</td></tr>\n"
      "<tr><td>full</td><td class=\"text\">{}</td><td>{:.2f}</td><td></td></tr>\n",
      escape_markup(question.question), escape_markup(question.answer), escape_markup(question.full.text),
      question.full.score);
  for (size_t cut = 0; cut < record.cuts.size(); ++cut) {
    const AnswerRecord& answer = question.pruned[cut];
    const bool same = answer.text == question.full.text;
    out += fmt::format("<tr><td>{:g} %</td><td class=\"text\">{}</td><td>{:.2f}</td><td>p {:.2f}</td></tr>\n",
                       record.cuts[cut].ratio * 100, same ? "the same" : mark_changes(question.full.text, answer.text),
                       answer.score, answer.p_answer);
  }
  return out + "</table>\n";
}

std::string answers_html(const ReportTable& table) {
  std::string out = fmt::format("<h3 id=\"{}\">{}, {}, {}</h3>\n", anchor(table), escape_markup(table.task),
                                escape_markup(table.model), escape_markup(table.method));
  for (const StoredResult* result : table.results) {
    const DocumentRecord& record = result->record;
    out += fmt::format("<details><summary>document {}, {} tokens, {} questions</summary>\n", record.index,
                       record.document_tokens, record.questions.size());
    for (const QuestionRecord& question : record.questions) out += question_html(record, question);
    out += "</details>\n";
  }
  return out;
}

}  // namespace

std::string report_html(const std::vector<ReportTable>& tables) {
  std::string out = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width\"><title>kvzip report</title>\n<style>{}{}</style></head><body>\n",
      chart_style(), kStyle);
  out +=
      "<h1>What a compressed memory still knows</h1>\n<p class=\"note\">Kept is the fraction of a document's key and "
      "value "
      "pairs that remain. Bands and brackets are 95 % bootstrap intervals over documents.</p>\n<div "
      "class=\"charts\">\n";
  for (const Chart& chart : report_charts(tables)) out += draw_chart(chart);
  out += "</div>\n";
  std::string maps;
  for (const ReportTable& table : tables) {
    for (size_t cut = 0; cut < table.rows.size(); ++cut) maps += needle_map(table, cut);
  }
  if (!maps.empty())
    out += "<h2>Needles by depth and length: found, %</h2>\n<div class=\"charts\">" + maps + "</div>\n";
  out += "<h2>Scores, memory and time</h2>\n";
  for (const ReportTable& table : tables) out += table_html(table);
  out +=
      "<h2>Answers</h2>\n<p class=\"note\">Words that the full memory's answer doesn't have are <ins>marked so</ins>, "
      "those "
      "that are gone <del>so</del>.</p>\n";
  for (const ReportTable& table : tables) out += answers_html(table);
  return out + "</body></html>\n";
}

}  // namespace kvzip
