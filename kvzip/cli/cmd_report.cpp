// `kvzip report`: the results of `kvzip eval` put together.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/table.h"
#include "kvzip/eval/report.h"

namespace kvzip::cli {
namespace {

struct ReportFlags {
  std::vector<std::string> places;
  std::string markdown;
  std::string csv;
  std::string svg;
  std::string html;
  size_t resamples = 2000;
  uint64_t seed = 1;
  OutputFlags output;
};

std::string percent(const Estimate& estimate) {
  return fmt::format("{:.1f} ({:.1f} to {:.1f})", estimate.value * 100, estimate.low * 100, estimate.high * 100);
}

void print(const ReportTable& report) {
  const TableLook look{.width = terminal_width(stdout), .colours = wants_colours(stdout)};
  const std::string title =
      fmt::format("{}, {}, {}: {} of {:.0f} tokens, {}", report.task, report.model, report.method,
                  counted(report.documents, "document"), report.document_tokens, counted(report.questions, "question"));
  Table table({{"kept", Align::right},
               {"score, %", Align::right},
               {"of full, %", Align::right},
               {"log p right", Align::right},
               {"same, %", Align::right},
               {"KV", Align::right}});
  const auto add = [&](const std::string& name, const ReportRow& row) {
    table.add({name, percent(row.score), percent(row.relative), fmt::format("{:.2f}", row.log_p_right.value),
               fmt::format("{:.0f}", row.same_answers * 100), format_bytes(static_cast<size_t>(row.kv_bytes))});
  };
  add("full", report.full);
  for (const ReportRow& row : report.rows) add(format_percent(row.ratio), row);
  fmt::print("{}\n{}\n", styled(title, Style::heading, look.colours), table.render(look));
}

Json json_of(const Estimate& estimate) {
  return {{"value", estimate.value}, {"low", estimate.low}, {"high", estimate.high}};
}

Json json_of(const ReportRow& row) {
  return {{"ratio", row.ratio},
          {"kept", row.kept},
          {"score", json_of(row.score)},
          {"relative", json_of(row.relative)},
          {"log_p_right", json_of(row.log_p_right)},
          {"p_answer", row.p_answer},
          {"same_answers", row.same_answers},
          {"kv_bytes", row.kv_bytes},
          {"tokens_per_s", row.tokens_per_second}};
}

Json json_of(const ReportTable& table) {
  Json rows = Json::array();
  for (const ReportRow& row : table.rows) rows.push_back(json_of(row));
  return {{"task", table.task},           {"model", table.model},
          {"method", table.method},       {"documents", table.documents},
          {"questions", table.questions}, {"document_tokens", table.document_tokens},
          {"full", json_of(table.full)},  {"ratios", rows}};
}

void write(const std::string& path, const std::string& text) {
  if (!path.empty()) write_file_atomically(path, [&](FileWriter& file) { file.write(text); });
}

void run_report(const ReportFlags& flags) {
  for (const std::string* path : {&flags.markdown, &flags.csv, &flags.svg, &flags.html}) {
    if (!path->empty()) require_writable(*path);
  }
  const std::vector<StoredResult> results = read_results(flags.places);
  const std::vector<ReportTable> tables =
      make_report(results, {.resamples = flags.resamples, .confidence = 0.95, .seed = flags.seed});
  write(flags.markdown, report_markdown(tables));
  write(flags.csv, report_csv(tables));
  write(flags.svg, report_svg(tables));
  write(flags.html, report_html(tables));
  if (flags.output.json) {
    Json all = Json::array();
    for (const ReportTable& table : tables) all.push_back(json_of(table));
    print_json({{"tables", all}});
  } else {
    for (const ReportTable& table : tables) print(table);
  }
}

}  // namespace

std::function<void()> add_report(CLI::App& command) {
  const auto flags = std::make_shared<ReportFlags>();
  command.add_option("DIR", flags->places, "Folders of results, or single result files")->required();
  command.add_option("--md", flags->markdown, "Write the tables as Markdown to this file");
  command.add_option("--csv", flags->csv, "Write them as CSV, with a line per ratio");
  command.add_option("--svg", flags->svg, "Write the charts: score against what is kept");
  command.add_option("--html", flags->html, "Write all of it, with every answer, as one page that needs nothing else");
  command.add_option("--resamples", flags->resamples, "Of the bootstrap that the intervals come from")
      ->check(whole(1, 1000000))
      ->capture_default_str();
  command.add_option("--seed", flags->seed, "Seed of the bootstrap")->capture_default_str();
  add_output_options(command, flags->output);
  command.footer(
      "Scores are means over documents; intervals hold the middle 95 % of means over documents drawn again and again.\n"
      "Kept is always the fraction KEPT.\n\n"
      "Examples:\n"
      "  kvzip report results/                                     tables on the terminal\n"
      "  kvzip report results/ --html report.html                  a page with charts and answers\n"
      "  kvzip report results/qa more/qa --csv qa.csv --svg qa.svg\n");
  return [flags] { run_report(*flags); };
}

}  // namespace kvzip::cli
