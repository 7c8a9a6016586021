#include "kvzip/text/pipeline/word_cuts.h"

#include <algorithm>

namespace kvzip {

WordCuts::WordCuts(const PipelineModel& model, std::span<const BpeMerge> merges, std::span<const TokenId> opaque) {
  for (const std::string_view mark : {"\u2581", " "}) {
    // An unknown mark might be joined with other unknown characters.
    if (mark_.empty() && model.find(mark)) mark_ = mark;
  }
  if (mark_.empty()) return;
  for (const BpeMerge& merge : merges) {
    if (!model.tokens()[static_cast<size_t>(merge.right)].starts_with(mark_)) continue;
    if (std::ranges::find(opaque, merge.left) != opaque.end()) {
      mark_.clear();
      return;
    }
    joined_[static_cast<uint8_t>(model.tokens()[static_cast<size_t>(merge.left)].back())] = true;
  }
}

}  // namespace kvzip
