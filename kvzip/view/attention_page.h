// The page of `kvzip attention`: head view and model view over the attention maps of a text. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kvzip/stages/attention_maps.h"

namespace kvzip {

/// Weights that a page holds at most, a byte each: beyond, browsers become slow.
inline constexpr size_t kMostPageWeights = size_t{24} << 20U;

struct ViewedAttention {
  std::string name;
  std::string model;
  std::vector<std::string> token_texts;  ///< of the maps' positions
  std::optional<size_t> second;          ///< of them the first one of the second text, where there are two
  bool causal = true;                    ///< no token sees those behind it
  std::vector<size_t> windows;           ///< per layer, 0 = none
  AttentionMaps maps;
};

/// A whole HTML file. Weights are stored as 255 sqrt(weight), rounded.
std::string attention_page(const ViewedAttention& attention);

/// Positions that a page can show of such a model.
size_t most_page_positions(const ModelConfig& config);

}  // namespace kvzip
