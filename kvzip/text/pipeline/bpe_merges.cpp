#include "kvzip/text/pipeline/bpe_merges.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/base/quote.h"

namespace kvzip {

namespace {

struct Pair {
  std::string_view left;
  std::string_view right;
};

std::optional<Pair> pair_of(const nlohmann::json& entry) {
  const auto text_of = [](const nlohmann::json& value) {
    return std::string_view(value.get_ref<const std::string&>());
  };
  if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
    return Pair{.left = text_of(entry[0]), .right = text_of(entry[1])};
  }
  if (!entry.is_string()) return std::nullopt;
  const std::string_view line = text_of(entry);
  const size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) return std::nullopt;
  return Pair{.left = line.substr(0, space), .right = line.substr(space + 1)};
}

/// Files made of a merges.txt may have kept its first line.
bool is_version(const nlohmann::json& entry) {
  return entry.is_string() && entry.get_ref<const std::string&>().starts_with("#version");
}

}  // namespace

std::vector<BpeMerge> read_merges(const Component& component, const PipelineModel& model, std::string_view prefix) {
  const nlohmann::json& merges = component.get("merges", "an array");
  if (!merges.is_array()) component.fail("merges", "an array");
  if (merges.size() >= Merge::kNoRank) component.fail("merges", "at most 2^32 - 2 merges");
  std::vector<BpeMerge> read;
  read.reserve(merges.size());
  std::string joined;
  for (size_t i = 0; i < merges.size(); ++i) {
    if (is_version(merges[i])) continue;
    const auto pair = pair_of(merges[i]);
    std::optional<TokenId> left;
    std::optional<TokenId> right;
    std::optional<TokenId> merged;
    if (pair) {
      left = model.find(pair->left);
      right = model.find(pair->right);
      joined.assign(pair->left).append(pair->right.substr(std::min(prefix.size(), pair->right.size())));
      merged = model.find(joined);
    }
    if (!left || !right || !merged) {
      throw Error(ErrorCode::input, fmt::format("{}[{}]: expected two tokens that make a third, found {}",
                                                component.place("merges"), i, quote(merges[i].dump(-1, ' ', true))));
    }
    const auto rank = static_cast<uint32_t>(read.size());
    read.push_back({.left = *left, .right = *right, .merge = {.rank = rank, .merged = *merged}});
  }
  std::ranges::reverse(read);
  return read;
}

}  // namespace kvzip
