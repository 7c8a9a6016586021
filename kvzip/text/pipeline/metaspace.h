// The fields that Metaspace has as a pre-tokenizer and as a decoder.
#pragma once

#include <string>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

struct Metaspace {
  enum class Prepend { always, first, never };

  explicit Metaspace(const Component& component);

  std::string mark;  ///< stands for a space: U+2581
  Prepend prepend = Prepend::always;
  bool split = true;
};

}  // namespace kvzip
