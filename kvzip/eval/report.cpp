#include "kvzip/eval/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>

#include "kvzip/base/error.h"
#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/eval/method.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_result(const fs::path& path) {
  return path.extension() == ".json" && path.filename().string().starts_with("output-");
}

std::vector<double> numbers_of(const JsonFields& fields, std::string_view key) {
  std::vector<double> values;
  const json* list = fields.find(key);
  if (list == nullptr || !list->is_array()) fields.fail(key, "a list of numbers");
  for (const json& each : *list) {
    if (!each.is_number()) fields.fail(key, "a list of numbers");
    values.push_back(each.get<double>());
  }
  return values;
}

void read_times(StoredResult& result) {
  const fs::path path(result.path);
  if (!is_result(path)) return;  // a copy under another name
  const std::string name = "times" + path.filename().string().substr(std::string_view("output").size());
  const std::string file = (path.parent_path() / name).string();
  std::error_code ignored;
  if (!fs::exists(file, ignored)) return;
  const json root = read_json(file);
  const JsonFields fields(file, root);
  result.reading_seconds = fields.find_number("reading_seconds").value_or(0);
  result.scoring_seconds = fields.find_number("scoring_seconds").value_or(0);
  result.answer_seconds = numbers_of(fields, "answer_seconds");
  result.answer_tokens = numbers_of(fields, "answer_tokens");
  const size_t expected = result.record.cuts.size() + 1;
  if (result.answer_seconds.size() != expected) fields.fail("answer_seconds", fmt::format("a list of {}", expected));
  if (result.answer_tokens.size() != expected) fields.fail("answer_tokens", fmt::format("a list of {}", expected));
}

auto order_of(const StoredResult& result) {
  const EvalSettings& settings = result.record.settings;
  return std::tuple(settings.task, settings.model, settings.policy, settings.scoring, settings.level, settings.tokens,
                    result.record.index, result.path);
}

/// What a document says about one memory: the full one, or one of its cuts.
struct DocumentMeans {
  double score = 0;
  double log_p_right = 0;
  double p_answer = 0;
  double same = 0;
};

DocumentMeans means_of(const DocumentRecord& record, std::optional<size_t> cut) {
  DocumentMeans means;
  for (const QuestionRecord& question : record.questions) {
    const AnswerRecord& answer = cut ? question.pruned[*cut] : question.full;
    means.score += answer.score;
    means.log_p_right += answer.log_p_right;
    means.p_answer += answer.p_answer;
    means.same += answer.text == question.full.text ? 1 : 0;
  }
  const auto count = static_cast<double>(std::max<size_t>(record.questions.size(), 1));
  return {means.score / count, means.log_p_right / count, means.p_answer / count, means.same / count};
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? 0 : sum / static_cast<double>(values.size());
}

ReportRow row_of(const std::vector<const StoredResult*>& results, std::optional<size_t> cut,
                 const BootstrapOptions& options) {
  std::vector<double> score, full, log_p, p, same, bytes, kept;
  double seconds = 0;
  double tokens = 0;
  for (const StoredResult* result : results) {
    const DocumentRecord& record = result->record;
    const DocumentMeans means = means_of(record, cut);
    score.push_back(means.score);
    full.push_back(means_of(record, std::nullopt).score);
    log_p.push_back(means.log_p_right);
    p.push_back(means.p_answer);
    same.push_back(means.same);
    bytes.push_back(static_cast<double>(cut ? record.cuts[*cut].kv_bytes : record.kv_bytes_full));
    kept.push_back(cut ? record.cuts[*cut].kept : 1);
    if (result->answer_seconds.empty()) continue;
    seconds += result->answer_seconds[cut ? *cut + 1 : 0];
    tokens += result->answer_tokens[cut ? *cut + 1 : 0];
  }
  return {.ratio = cut ? results.front()->record.cuts[*cut].ratio : 1,
          .kept = mean(kept),
          .score = bootstrap_mean(score, options),
          .relative = bootstrap_ratio(score, full, options),
          .log_p_right = bootstrap_mean(log_p, options),
          .same_answers = mean(same),
          .p_answer = mean(p),
          .kv_bytes = mean(bytes),
          .tokens_per_second = seconds > 0 ? tokens / seconds : 0};
}

ReportTable table_of(const std::vector<const StoredResult*>& results, const BootstrapOptions& options) {
  const DocumentRecord& first = results.front()->record;
  ReportTable table{.task = first.settings.task, .model = first.settings.model, .method = method_label(first.settings)};
  std::vector<double> tokens, reading, scoring;
  for (const StoredResult* result : results) {
    if (result->record.settings.ratios != first.settings.ratios) {
      throw Error(ErrorCode::input,
                  fmt::format("{}: expected the ratios of {}, found others", result->path, results.front()->path));
    }
    table.questions += result->record.questions.size();
    tokens.push_back(static_cast<double>(result->record.document_tokens));
    reading.push_back(result->reading_seconds);
    scoring.push_back(result->scoring_seconds);
  }
  table.documents = results.size();
  table.document_tokens = mean(tokens);
  table.reading_seconds = mean(reading);
  table.scoring_seconds = mean(scoring);
  table.full = row_of(results, std::nullopt, options);
  for (size_t cut = 0; cut < first.cuts.size(); ++cut) table.rows.push_back(row_of(results, cut, options));
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const ReportRow& a, const ReportRow& b) { return a.ratio > b.ratio; });
  table.results = results;
  return table;
}

}  // namespace

std::vector<StoredResult> read_results(const std::vector<std::string>& places) {
  std::vector<StoredResult> results;
  for (const std::string& place : places) {
    std::vector<std::string> files;
    std::error_code failure;
    if (fs::is_directory(place, failure)) {
      for (auto it = fs::recursive_directory_iterator(place, failure); !failure && it != fs::end(it);
           it.increment(failure))
        if (is_result(it->path())) files.push_back(it->path().string());
      if (failure) throw Error(ErrorCode::input, fmt::format("{}: {}", place, failure.message()));
      if (files.empty())
        throw Error(ErrorCode::input, fmt::format("{}: expected results (output-LEVEL.json), found none", place));
    } else {
      files.push_back(place);
    }
    for (const std::string& file : files) {
      results.push_back({.path = file, .record = read_record(file)});
      read_times(results.back());
    }
  }
  std::sort(results.begin(), results.end(),
            [](const StoredResult& a, const StoredResult& b) { return order_of(a) < order_of(b); });
  return results;
}

std::string method_label(const EvalSettings& settings) {
  std::string label = settings.policy;
  if (settings.scoring != methods().front().scoring) label += " " + settings.scoring;
  return label + " " + settings.level;
}

std::vector<ReportTable> make_report(const std::vector<StoredResult>& results, const BootstrapOptions& options) {
  std::map<std::tuple<std::string, std::string, std::string>, std::vector<const StoredResult*>> groups;
  for (const StoredResult& result : results) {
    const EvalSettings& settings = result.record.settings;
    groups[{settings.task, settings.model, method_label(settings)}].push_back(&result);
  }
  std::vector<ReportTable> tables;
  for (const auto& [key, members] : groups) tables.push_back(table_of(members, options));
  return tables;
}

}  // namespace kvzip
