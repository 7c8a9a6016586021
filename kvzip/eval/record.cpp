#include "kvzip/eval/record.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/text/lossy_utf8.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;
using nlohmann::json;

constexpr JsonLimits kRecordLimits = {.bytes = size_t{256} << 20U};

double rounded(double value) { return std::round(value * 1e6) / 1e6; }

std::string key_of(size_t question) { return question == 0 ? "qa" : fmt::format("qa-{}", question); }

Json answer_json(const AnswerRecord& answer) {
  return {{"score", rounded(answer.score)},
          {"p_answer", rounded(answer.p_answer)},
          {"log_p_answer", rounded(answer.log_p_answer)},
          {"min_margin", rounded(answer.min_margin)},
          {"flips", answer.flips},
          {"log_p_right", rounded(answer.log_p_right)}};
}

Json ratios_of(const QuestionRecord& question, const std::vector<CutRecord>& cuts) {
  Json all = Json::array();
  for (size_t i = 0; i < cuts.size(); ++i) {
    Json answers = {{"pruned", lossy_utf8(question.pruned[i].text)},
                    {"full__", lossy_utf8(question.full.text)},
                    {"answer", lossy_utf8(question.answer)}};
    answers.update(answer_json(question.pruned[i]));
    all.push_back({{cuts[i].ratio, rounded(cuts[i].kept), rounded(cuts[i].threshold)}, std::move(answers)});
  }
  return all;
}

double number(const JsonFields& fields, std::string_view key) {
  const auto value = fields.find_number(key);
  if (!value) fields.fail(key, "a number");
  return *value;
}

size_t whole_number(const JsonFields& fields, std::string_view key) {
  const auto value = fields.find_uint(key);
  if (!value) fields.fail(key, "a whole number");
  return *value;
}

std::string text(const JsonFields& fields, std::string_view key) {
  const auto value = fields.find_string(key);
  if (!value) fields.fail(key, "a text");
  return std::string(*value);
}

const json& list(const JsonFields& fields, std::string_view key, size_t size) {
  const json* value = fields.find(key);
  if (value == nullptr || !value->is_array() || (size != 0 && value->size() != size))
    fields.fail(key, size == 0 ? "a list" : fmt::format("a list of {}", size));
  return *value;
}

std::vector<double> numbers(const JsonFields& fields, std::string_view key, size_t size) {
  std::vector<double> values;
  for (const json& each : list(fields, key, size)) {
    if (!each.is_number()) fields.fail(key, "a list of numbers");
    values.push_back(each.get<double>());
  }
  return values;
}

AnswerRecord read_answer(const JsonFields& fields, std::string_view text_key) {
  AnswerRecord answer{.text = text(fields, text_key),
                      .score = number(fields, "score"),
                      .p_answer = number(fields, "p_answer"),
                      .log_p_answer = number(fields, "log_p_answer"),
                      .min_margin = number(fields, "min_margin"),
                      .flips = {},
                      .log_p_right = number(fields, "log_p_right")};
  for (const double place : numbers(fields, "flips", 0)) answer.flips.push_back(static_cast<size_t>(place));
  return answer;
}

EvalSettings read_settings(const JsonFields& fields) {
  return {.task = text(fields, "task"),
          .model = text(fields, "model"),
          .weights = text(fields, "weights"),
          .chat_template = text(fields, "template"),
          .level = text(fields, "level"),
          .policy = text(fields, "policy"),
          .scoring = text(fields, "scoring"),
          .kv_type = text(fields, "kv_type"),
          .device = text(fields, "device"),
          .files = text(fields, "files"),
          .tokens = whole_number(fields, "tokens"),
          .seed = whole_number(fields, "seed"),
          .max_questions = whole_number(fields, "max_questions"),
          .ratios = numbers(fields, "ratios", 0),
          .version = text(fields, "version")};
}

/// One row of the original's shape.
void read_ratio(const std::string& file, const json& row, const std::string& place, DocumentRecord& record,
                QuestionRecord& question) {
  if (!row.is_array() || row.size() != 2 || !row[0].is_array() || row[0].size() != 3)
    throw Error(ErrorCode::input, fmt::format("{}: {}: expected [[ratio, kept, threshold], answers]", file, place));
  for (const json& each : row[0]) {
    if (!each.is_number()) throw Error(ErrorCode::input, fmt::format("{}: {}: expected numbers", file, place));
  }
  const JsonFields fields(file, row[1], place);
  question.pruned.push_back(read_answer(fields, "pruned"));
  question.full.text = text(fields, "full__");
  question.answer = text(fields, "answer");
  CutRecord& cut = record.cuts[question.pruned.size() - 1];
  cut.ratio = row[0][0].get<double>();
  cut.kept = row[0][1].get<double>();
  cut.threshold = row[0][2].get<double>();
}

}  // namespace

Json to_json(const EvalSettings& settings) {
  return {{"task", settings.task},
          {"model", settings.model},
          {"weights", settings.weights},
          {"template", settings.chat_template},
          {"level", settings.level},
          {"policy", settings.policy},
          {"scoring", settings.scoring},
          {"kv_type", settings.kv_type},
          {"device", settings.device},
          {"files", settings.files},
          {"tokens", settings.tokens},
          {"seed", settings.seed},
          {"max_questions", settings.max_questions},
          {"ratios", settings.ratios},
          {"version", settings.version}};
}

Json to_json(const DocumentRecord& record) {
  Json out = Json::object();
  Json questions = Json::array();
  for (size_t i = 0; i < record.questions.size(); ++i) {
    const QuestionRecord& question = record.questions[i];
    out[key_of(i)] = ratios_of(question, record.cuts);
    Json full = answer_json(question.full);
    full["text"] = lossy_utf8(question.full.text);
    questions.push_back({{"question", lossy_utf8(question.question)}, {"metric", question.metric}, {"full", full}});
  }
  Json kv_bytes = Json::array();
  for (const CutRecord& cut : record.cuts) kv_bytes.push_back(cut.kv_bytes);
  out["questions"] = std::move(questions);
  out["document"] = {{"index", record.index},
                     {"system_tokens", record.system_tokens},
                     {"document_tokens", record.document_tokens},
                     {"depth", record.depth ? Json(rounded(*record.depth)) : Json()},
                     {"kv_bytes_full", record.kv_bytes_full},
                     {"kv_bytes", std::move(kv_bytes)}};
  out["settings"] = to_json(record.settings);
  return out;
}

DocumentRecord parse_record(const std::string& file, std::string_view json_text) {
  const json root = parse_json(file, json_text, kRecordLimits);
  const JsonFields fields(file, root);
  const auto settings = fields.find_object("settings");
  const auto document = fields.find_object("document");
  if (!settings) fields.fail("settings", "an object");
  if (!document) fields.fail("document", "an object");
  DocumentRecord record{.settings = read_settings(*settings),
                        .index = whole_number(*document, "index"),
                        .system_tokens = whole_number(*document, "system_tokens"),
                        .document_tokens = whole_number(*document, "document_tokens"),
                        .kv_bytes_full = whole_number(*document, "kv_bytes_full"),
                        .depth = document->find_number("depth"),
                        .cuts = {},
                        .questions = {}};
  record.cuts.resize(record.settings.ratios.size());
  const std::vector<double> bytes = numbers(*document, "kv_bytes", record.cuts.size());
  for (size_t i = 0; i < bytes.size(); ++i) record.cuts[i].kv_bytes = static_cast<size_t>(bytes[i]);
  for (const json& each : list(fields, "questions", 0)) {
    const size_t number_of_it = record.questions.size();
    const JsonFields asked(file, each, fmt::format("questions[{}]", number_of_it));
    const auto full = asked.find_object("full");
    if (!full) asked.fail("full", "an object");
    QuestionRecord question{.question = text(asked, "question"),
                            .answer = {},
                            .metric = text(asked, "metric"),
                            .full = read_answer(*full, "text"),
                            .pruned = {}};
    const std::string key = key_of(number_of_it);
    for (const json& row : list(fields, key, record.cuts.size())) read_ratio(file, row, key, record, question);
    record.questions.push_back(std::move(question));
  }
  return record;
}

DocumentRecord read_record(const std::string& path) {
  return parse_record(path, read_json(path, kRecordLimits).dump());
}

}  // namespace kvzip
