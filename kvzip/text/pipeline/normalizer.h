// What is done to text before it is cut: the section "normalizer" of tokenizer.json. Immutable once made; safe from any
// number of threads.
#pragma once

#include <memory>
#include <string>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

struct NormalizedText {
  std::string text;  ///< valid UTF-8
  /// So many bytes of `text` come from the first character of the whole text that is encoded; a Metaspace that puts its
  /// mark at the start only looks there.
  size_t origin = 0;
};

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
