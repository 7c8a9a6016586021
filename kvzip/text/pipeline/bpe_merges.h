// The merges of a BPE model as tokenizer.json lists them. Stateless.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/pipeline/model.h"

namespace kvzip {

struct BpeMerge {
  TokenId left;
  TokenId right;
  Merge merge;
};

/// The field "merges" of `component`: pairs of tokens, or strings with a space between two. `prefix` is what tokens
/// inside words begin with. Throws Error{input} for a merge that does not join two tokens into a third. The list is
/// from the worst to the best, so that of two merges of the same pair the first one counts.
std::vector<BpeMerge> read_merges(const Component& component, const PipelineModel& model, std::string_view prefix);

}  // namespace kvzip
