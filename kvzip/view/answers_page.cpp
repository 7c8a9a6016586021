#include "kvzip/view/answers_page.h"

#include <nlohmann/json.hpp>

#include "kvzip/view/page_sources.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;

Json tokens_json(const std::vector<ViewedToken>& tokens) {
  Json list = Json::array();
  for (const ViewedToken& token : tokens) {
    list.push_back({{"text", token.text},
                    {"p_full", token.p_full},
                    {"p_kept", token.p_kept},
                    {"top_full", token.top_full},
                    {"top_kept", token.top_kept}});
  }
  return list;
}

}  // namespace

std::string answers_page(const ViewedAnswers& answers) {
  Json questions = Json::array();
  for (const ViewedQuestion& each : answers.questions) {
    questions.push_back(
        {{"question", each.question}, {"full", tokens_json(each.full)}, {"kept", tokens_json(each.kept)}});
  }
  return page_with(answers_page_source(), page_json({{"document", answers.name},
                                                     {"model", answers.model},
                                                     {"version", KVZIP_VERSION},
                                                     {"document_tokens", answers.document_tokens},
                                                     {"full_ratio", answers.full_ratio},
                                                     {"kept_ratio", answers.kept_ratio},
                                                     {"bytes_full", answers.bytes_full},
                                                     {"bytes_kept", answers.bytes_kept},
                                                     {"questions", questions}}));
}

}  // namespace kvzip
