#include "kvzip/text/pipeline/split_behavior.h"

#include <algorithm>
#include <array>
#include <utility>

namespace kvzip {

SplitBehavior split_behavior(const Component& component) {
  static constexpr auto kNames = std::to_array<std::pair<std::string_view, SplitBehavior>>({
      {"Removed", SplitBehavior::removed},
      {"Isolated", SplitBehavior::isolated},
      {"MergedWithPrevious", SplitBehavior::merged_with_previous},
      {"MergedWithNext", SplitBehavior::merged_with_next},
      {"Contiguous", SplitBehavior::contiguous},
  });
  const std::string name = component.text("behavior");
  const auto found = std::ranges::find(kNames, name, [](const auto& row) { return row.first; });
  if (found != kNames.end()) return found->second;
  component.fail("behavior", "one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous",
                 ErrorCode::unsupported);
}

}  // namespace kvzip
