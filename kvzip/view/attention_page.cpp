#include "kvzip/view/attention_page.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <span>

#include "kvzip/base/check.h"
#include "kvzip/text/formats/base64.h"
#include "kvzip/view/page_sources.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;

uint8_t byte_of(float weight) {
  const float clamped = weight > 0 ? std::min(weight, 1.0F) : 0.0F;  // 0 too for what isn't a number
  return static_cast<uint8_t>(std::lround(255 * std::sqrt(clamped)));
}

/// `[layers, heads, len, len]`, of causal models without what lies behind a query.
std::vector<uint8_t> weight_bytes(const AttentionMaps& maps, bool causal) {
  std::vector<uint8_t> bytes;
  bytes.reserve(causal ? maps.weights.size() / 2 + maps.weights.size() / (2 * maps.len) : maps.weights.size());
  for (size_t row = 0; row < maps.layers * maps.heads * maps.len; ++row) {
    const size_t seen = causal ? row % maps.len + 1 : maps.len;
    for (const float weight : std::span(maps.weights).subspan(row * maps.len, seen)) bytes.push_back(byte_of(weight));
  }
  return bytes;
}

}  // namespace

std::string attention_page(const ViewedAttention& attention) {
  const AttentionMaps& maps = attention.maps;
  check(attention.token_texts.size() == maps.len, "one text per position");
  check(attention.windows.size() == maps.layers, "one window per layer");
  const std::vector<uint8_t> bytes = weight_bytes(maps, attention.causal);
  return page_with(attention_page_source(), page_json({{"document", attention.name},
                                                       {"model", attention.model},
                                                       {"version", KVZIP_VERSION},
                                                       {"layers", maps.layers},
                                                       {"heads", maps.heads},
                                                       {"first", maps.first},
                                                       {"second", attention.second ? Json(*attention.second) : Json()},
                                                       {"causal", attention.causal},
                                                       {"windows", attention.windows},
                                                       {"texts", attention.token_texts},
                                                       {"weights", encode_base64(std::as_bytes(std::span(bytes)))}}));
}

size_t most_page_positions(const ModelConfig& config) {
  // A causal map is half of a square.
  return most_positions(config, config.arch->bidirectional ? kMostPageWeights : 2 * kMostPageWeights);
}

}  // namespace kvzip
