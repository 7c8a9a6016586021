// The inputs that make the model repeat its document, chunk by chunk (Kim et al. 2025, section 3.2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "kvzip/model/model.h"

namespace kvzip {

/// Document tokens that one repetition covers.
inline constexpr size_t kRepeatChunk = 2000;

/// At least the tokens of one repeat input of a document, so that room can be made for them before they are known.
inline size_t repeat_rows(size_t document, size_t chunk) {
  constexpr size_t kMostInstructionTokens = 64;
  return std::min(document, chunk) + kMostInstructionTokens;
}

struct RepeatInput {
  size_t begin = 0;          ///< first document position of the chunk
  size_t len = 0;            ///< tokens of the chunk
  std::vector<TokenId> ids;  ///< instruction, end of the user's turn, and the chunk itself
};

/// The largest chunk of at most `chunk` tokens whose repetition finds positions after `read_tokens`: less than `chunk`
/// only in models that learned each position. Throws Error{input} where not even one token does.
size_t fitting_chunk(const Model& model, size_t read_tokens, size_t chunk);

/// One input per chunk of `chunk` tokens; those after the first quote the last tokens of the chunk before.
std::vector<RepeatInput> repeat_inputs(const Model& model, std::span<const TokenId> document,
                                       size_t chunk = kRepeatChunk);

}  // namespace kvzip
