#include "kvzip/eval/qa_documents.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/eval/some_text.h"

namespace kvzip {
namespace {

using nlohmann::json;

constexpr JsonLimits kQaLimits = {.bytes = size_t{64} << 20U};

}  // namespace

EvalDocument parse_qa_document(const std::string& file, std::string_view json_text) {
  const json root = parse_json(file, json_text, kQaLimits);
  const JsonFields fields(file, root);
  EvalDocument document;
  document.context = some_text(fields, "context");
  const json* questions = fields.find("questions");
  if (questions == nullptr || !questions->is_array() || questions->empty())
    fields.fail("questions", "a list of questions");
  for (size_t i = 0; i < questions->size(); ++i) {
    const JsonFields question(file, (*questions)[i], fmt::format("questions[{}]", i));
    document.questions.push_back({some_text(question, "question"), some_text(question, "answer"), Metric::include});
  }
  return document;
}

std::vector<EvalDocument> shipped_qa_documents() {
  std::vector<EvalDocument> documents;
  for (const ShippedDocument& each : shipped_documents())
    documents.push_back(parse_qa_document(std::string(each.name), each.json));
  return documents;
}

std::vector<EvalDocument> read_qa_documents(const std::string& path) {
  namespace fs = std::filesystem;
  std::vector<std::string> files = {path};
  std::error_code failure;
  if (fs::is_directory(path, failure)) {
    files.clear();
    for (const auto& entry : fs::directory_iterator(path, failure)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path().string());
    }
    if (failure) throw Error(ErrorCode::input, fmt::format("{}: {}", path, failure.message()));
    if (files.empty()) throw Error(ErrorCode::input, fmt::format("{}: expected .json files, found none", path));
    std::sort(files.begin(), files.end());
  }
  std::vector<EvalDocument> documents;
  documents.reserve(files.size());
  for (const std::string& file : files) documents.push_back(parse_qa_document(file, read_json(file, kQaLimits).dump()));
  return documents;
}

}  // namespace kvzip
