#include "kvzip/text/incremental_decoder.h"

#include <utility>

#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

constexpr std::string_view kReplacement = "\uFFFD";

}  // namespace

std::string IncrementalDecoder::push(TokenId id) {
  const std::string_view piece = tokenizer_.piece(id);
  // Only decode() knows whether a start loses its space.
  pending_ += at_start_ ? std::string_view(tokenizer_.decode({&id, 1})) : piece;
  at_start_ = piece.empty();

  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest);
    if (step.kind == Utf8Step::Kind::cut_off) break;
    text += step.kind == Utf8Step::Kind::character ? rest.substr(0, step.length) : kReplacement;
    rest.remove_prefix(step.length);
  }
  pending_ = std::string(rest);
  return text;
}

std::string IncrementalDecoder::flush() {
  at_start_ = true;
  return std::exchange(pending_, {}).empty() ? std::string() : std::string(kReplacement);
}

}  // namespace kvzip
