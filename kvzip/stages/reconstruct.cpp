#include "kvzip/stages/reconstruct.h"

#include <fmt/format.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

constexpr std::string_view kRepeatFirst = "\n\nRepeat the previous context exactly.";
constexpr std::string_view kRepeatNext = "\n\nRepeat the part of the previous context exactly, starting with ";
// Tokens of the chunk before that a later input quotes.
constexpr size_t kQuoted = 8;

}  // namespace

size_t fitting_chunk(const Model& model, size_t read_tokens, size_t chunk) {
  if (!model.config().arch->learned_positions) return chunk;
  const size_t positions = model.config().context_length;
  const size_t taken = read_tokens + model.tokenizer().encode(kRepeatNext).size() + kQuoted + postfix_ids(model).size();
  if (taken < positions) return std::min(chunk, positions - taken);
  throw Error(ErrorCode::input, fmt::format("document: expected room for its repetition in the {} positions that the "
                                            "model has learned, found {} tokens",
                                            positions, read_tokens));
}

std::vector<RepeatInput> repeat_inputs(const Model& model, std::span<const TokenId> document, size_t chunk) {
  const std::vector<TokenId> postfix = postfix_ids(model);
  std::vector<RepeatInput> inputs;
  for (size_t begin = 0; begin < document.size(); begin += chunk) {
    RepeatInput input{.begin = begin, .len = std::min(chunk, document.size() - begin), .ids = {}};
    const auto append = [&input](std::span<const TokenId> ids) {
      input.ids.insert(input.ids.end(), ids.begin(), ids.end());
    };
    append(model.tokenizer().encode(begin == 0 ? kRepeatFirst : kRepeatNext));
    const size_t quoted = std::min(kQuoted, begin);
    append(document.subspan(begin - quoted, quoted));
    append(postfix);
    append(document.subspan(begin, input.len));
    inputs.push_back(std::move(input));
  }
  return inputs;
}

}  // namespace kvzip
