// What is done to text before it is cut: the section "normalizer" of tokenizer.json. Immutable once made; safe from any
// number of threads.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

struct NormalizedText {
  std::string text;  ///< valid UTF-8
  /// So many bytes of `text` come from the first character of the whole text that is encoded; a Metaspace that puts its
  /// mark at the start only looks there.
  size_t origin = 0;

  /// These bytes, and what is missing of their last character.
  std::string_view from_origin() const {
    size_t end = origin;
    while (end > 0 && end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
    return std::string_view(text).substr(0, end);
  }
  /// Changes the text to change(text), which works on each character by itself, or on it with its neighbours.
  template <class Change>
  void transform(Change change) {
    const size_t before = origin > 0 ? std::max<size_t>(change(from_origin()).size(), 1) : 0;
    text = change(text);
    origin = std::min(before, text.size());
  }
};

/// The longest text that can be encoded: offsets in it are 32 bits wide.
constexpr size_t kLongestText = size_t{1} << 30;
/// Throws Error{input} where a text has become longer.
void expect_text_length(size_t bytes);

class Normalizer {
 public:
  Normalizer() = default;
  Normalizer(const Normalizer&) = delete;
  Normalizer& operator=(const Normalizer&) = delete;
  virtual ~Normalizer() = default;

  virtual void apply(NormalizedText& text) const = 0;
};

/// Throws Error{unsupported} that names an unknown type.
std::unique_ptr<Normalizer> make_normalizer(const Component& component);

}  // namespace kvzip
