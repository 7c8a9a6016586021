// The fields of a BPE model besides vocabulary and merges.
#pragma once

#include <optional>
#include <string>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

struct BpeModelOptions {
  /// Throws Error{unsupported} for a dropout, which makes encoding random.
  explicit BpeModelOptions(const Component& component);

  std::optional<std::string> unknown;
  std::string prefix;  ///< of characters inside a word
  std::string suffix;  ///< of a word's last character
  bool fuse_unknown;   ///< neighbouring unknown characters are one token
  bool byte_fallback;  ///< unknown characters are spelled <0xHH> byte by byte
  bool whole_words;    ///< a word that is a token is that token, whatever its merges make of it
};

}  // namespace kvzip
