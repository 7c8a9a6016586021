#include "kvzip/cli/ask_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/cli/agreement.h"
#include "kvzip/cli/format.h"

namespace kvzip::cli {
namespace {

std::string stripped(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

double ratio_of(size_t part, size_t whole) {
  return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
}

/// The middle one of the figures that aren't 0; 0 where all are.
template <class Figure>
double median(const std::vector<Answer>& answers, const Figure& figure) {
  std::vector<double> values;
  for (const Answer& answer : answers) {
    if (figure(answer) > 0) values.push_back(figure(answer));
  }
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double first_token(const Answer& answer) { return answer.first_token_seconds; }
double speed(const Answer& answer) { return answer.tokens_per_second(); }

Agreement agreement_of(const AskReport& report, size_t question) {
  return compare_answers(report.full[question].text, report.kept[question].text);
}

Cell mark_of(Agreement agreement) {
  switch (agreement) {
    case Agreement::same:
      return Cell("✓", Style::good);
    case Agreement::reworded:
      return Cell("≈", Style::good);
    case Agreement::differs:
      break;
  }
  return Cell("≠", Style::bad);
}

std::string answers_table(const AskReport& report, const TableLook& look) {
  Table table({{"Question", Align::left, true},
               {"Full memory", Align::left, true},
               {"Kept " + format_percent(report.kept_ratio), Align::left, true},
               {"", Align::right}});
  for (size_t i = 0; i < report.questions.size(); ++i) {
    const Agreement agreement = agreement_of(report, i);
    table.add({Cell(report.questions[i], Style::bold), Cell(stripped(report.full[i].text)),
               Cell(stripped(report.kept[i].text), agreement == Agreement::differs ? Style::bad : Style::plain),
               mark_of(agreement)});
  }
  return table.render(look);
}

std::string verdict(const AskReport& report, const TableLook& look) {
  size_t same = 0;
  size_t reworded = 0;
  for (size_t i = 0; i < report.questions.size(); ++i) {
    const Agreement agreement = agreement_of(report, i);
    same += agreement == Agreement::same ? 1 : 0;
    reworded += agreement == Agreement::reworded ? 1 : 0;
  }
  std::string line = fmt::format("✓ {} of {} the same", same, counted(report.questions.size(), "answer"));
  if (reworded > 0) line += fmt::format(", ≈ {} with the same names and numbers", reworded);
  const size_t others = report.questions.size() - same - reworded;
  if (others > 0) line += fmt::format(", ≠ {} different", others);
  return styled(line, others == 0 ? Style::good : Style::bold, look.colours);
}

std::string figures_table(const AskReport& report, const TableLook& look) {
  Table table({{fmt::format("{} of document", counted(report.document_tokens, "token"))},
               {"Full memory", Align::right},
               {"Kept " + format_percent(report.kept_ratio), Align::right},
               {"", Align::right}});
  const auto add_bytes = [&](const char* name, size_t full, size_t kept) {
    table.add({name, format_bytes(full), Cell(format_bytes(kept), Style::good), format_percent(ratio_of(kept, full))});
  };
  add_bytes("keys and values", report.kv_bytes_full, report.kv_bytes_kept);
  if (report.resident_bytes_full > 0)
    add_bytes("whole process", report.resident_bytes_full, report.resident_bytes_kept);
  const double first_full = median(report.full, first_token);
  const double first_kept = median(report.kept, first_token);
  table.add({"time to first token", format_seconds(first_full), format_seconds(first_kept),
             first_kept > 0 ? fmt::format("{:.2f}x", first_full / first_kept) : ""});
  const double speed_full = median(report.full, speed);
  const double speed_kept = median(report.kept, speed);
  if (speed_full > 0 && speed_kept > 0) {
    table.add({"tokens after it", format_rate(speed_full), Cell(format_rate(speed_kept), Style::good),
               fmt::format("{:.2f}x", speed_kept / speed_full)});
  }
  return table.render(look);
}

std::string times(const AskReport& report, const TableLook& look) {
  const auto tokens = static_cast<double>(report.system_tokens + report.document_tokens);
  const std::string rate = report.prefill_seconds > 0 ? " (" + format_rate(tokens / report.prefill_seconds) + ")" : "";
  const std::string line =
      fmt::format("loading {} · reading {}{} · scoring {} · compression {}", format_seconds(report.load_seconds),
                  format_seconds(report.prefill_seconds), rate, format_seconds(report.scoring_seconds),
                  format_seconds(report.compression_seconds));
  return styled(line, Style::dim, look.colours) + "\n";
}

}  // namespace

std::string comparison(const AskReport& report, const TableLook& look) {
  return fmt::format("\n{}\n{}\n\n{}\n{}", answers_table(report, look), verdict(report, look),
                     figures_table(report, look), times(report, look));
}

Json to_json(const AskReport& report) {
  const bool read = report.context_file.empty();
  Json json = {{"document", report.document},
               {"model", report.model},
               {"system_tokens", report.system_tokens},
               {"document_tokens", report.document_tokens},
               {"load_seconds", report.load_seconds}};
  if (read) {
    json["prefill_seconds"] = report.prefill_seconds;
  } else {
    json["context_file"] = report.context_file;
    json["context_file_bytes"] = report.context_file_bytes;
    json["context_bytes_read"] = report.context_bytes_read;
    json["open_seconds"] = report.open_seconds;
  }
  json["kv_bytes_full"] = report.kv_bytes_full;
  if (report.compressed) {
    if (read) {
      json["scoring_seconds"] = report.scoring_seconds;
      json["compression_seconds"] = report.compression_seconds;
      json["threshold"] = report.threshold;
    }
    if (!report.method.empty()) json["method"] = report.method;  // a file's scoring names it
    json["scoring"] = report.scoring;
    json["level"] = report.level;
    json["kept_ratio"] = report.kept_ratio;
    json["kv_bytes_kept"] = report.kv_bytes_kept;
  }
  if (report.resident_bytes_full > 0) {
    json["resident_bytes_full"] = report.resident_bytes_full;
    json["resident_bytes_kept"] = report.resident_bytes_kept;
  }
  json["answers"] = Json::array();
  for (size_t i = 0; i < report.questions.size(); ++i) {
    Json row = {{"question", report.questions[i]}};
    if (!report.full.empty()) row["full"] = to_json(report.full[i]);
    if (!report.kept.empty()) row["kept"] = to_json(report.kept[i]);
    if (!report.full.empty() && !report.kept.empty()) {
      row["same"] = agreement_of(report, i) == Agreement::same;
      row["agreement"] = agreement_name(agreement_of(report, i));
    }
    json["answers"].push_back(std::move(row));
  }
  return json;
}

}  // namespace kvzip::cli
