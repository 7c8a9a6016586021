// Documents for tiny models: token ids without meaning, and the inputs that repeat them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

#include "kvzip/kvzip.h"

namespace kvzip {

inline std::vector<TokenId> some_tokens(size_t count, size_t step) {
  std::vector<TokenId> ids(count);
  for (size_t i = 0; i < count; ++i) ids[i] = static_cast<TokenId>((11 + i * i * step) % 251);
  return ids;
}

/// Chunks of at most `chunk` tokens behind a made-up instruction.
inline std::vector<RepeatInput> inputs_for(const std::vector<TokenId>& document, size_t chunk) {
  std::vector<RepeatInput> inputs;
  for (size_t begin = 0; begin < document.size(); begin += chunk) {
    const auto first = document.begin() + static_cast<std::ptrdiff_t>(begin);
    RepeatInput input{begin, std::min(chunk, document.size() - begin), some_tokens(3 + begin % 4, 17)};
    input.ids.insert(input.ids.end(), first, first + static_cast<std::ptrdiff_t>(input.len));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace kvzip
