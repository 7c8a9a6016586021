#include "kvzip/view/page.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>

#include "kvzip/base/check.h"
#include "kvzip/text/formats/base64.h"
#include "kvzip/view/keep_steps.h"
#include "kvzip/view/page_sources.h"
#include "kvzip/view/score_histogram.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;

Json histogram_json(const Scores& scores) {
  const ScoreHistogram histogram = score_histogram(scores);
  Json counts = Json::array();
  for (size_t at = 0; at < histogram.counts.size(); at += ScoreHistogram::kBins) {
    const auto first = histogram.counts.begin() + static_cast<std::ptrdiff_t>(at);
    counts.push_back(std::vector<uint32_t>(first, first + ScoreHistogram::kBins));
  }
  return {{"lowest_decade", ScoreHistogram::kLowestDecade},
          {"bins_per_decade", ScoreHistogram::kBinsPerDecade},
          {"counts", counts}};
}

}  // namespace

std::string view_page_data(const ViewedDocument& document) {
  check(document.token_texts.size() == document.scores.len, "one text per scored position");
  check(document.layers.size() == document.scores.layers, "one number per scored layer");
  const KeepSteps steps = keep_steps(document.scores, slider_ratios(document.keep, document.most));
  const auto start = std::find(steps.ratios.begin(), steps.ratios.end(), document.keep) - steps.ratios.begin();
  const Json json = {{"document", document.name},
                     {"model", document.model},
                     {"version", KVZIP_VERSION},
                     {"system_tokens", document.system_tokens},
                     {"layers", document.layers},
                     {"kv_heads", document.scores.kv_heads},
                     {"bytes_fixed", document.bytes_fixed},
                     {"bytes_document", document.bytes_document},
                     {"texts", document.token_texts},
                     {"ratios", steps.ratios},
                     {"thresholds", steps.thresholds},
                     {"start", start},
                     {"close_scores", document.close_scores},
                     {"histogram", histogram_json(document.scores)},
                     {"first_kept", encode_base64(std::as_bytes(std::span(steps.first_kept)))}};
  return page_json(json);
}

std::string view_page(const ViewedDocument& document) {
  return page_with(view_page_source(), view_page_data(document));
}

}  // namespace kvzip
