// What a SentencePiece .model file says, read from an unknown source. A value.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/vocabulary.h"

namespace kvzip {

enum class SentencePieceModelType { unigram = 1, bpe = 2, word = 3, character = 4 };

/// How text is changed before it is cut into pieces, or after pieces are put together. The defaults are the format's.
struct SentencePieceNormalization {
  std::string charsmap;                  ///< of Charsmap; empty: no character is replaced
  bool add_dummy_prefix = true;          ///< a space is put before the text
  bool remove_extra_whitespaces = true;  ///< at both ends, and all but one of several
  bool escape_whitespaces = true;        ///< spaces are spelled U+2581
};

struct SentencePieceSpec {
  SentencePieceModelType type = SentencePieceModelType::unigram;
  std::vector<std::string> pieces;  ///< by id, none empty, no two alike, but for control and byte tokens
  std::vector<float> scores;
  std::vector<TokenKind> kinds;
  bool byte_fallback = false;
  bool whitespace_as_suffix = false;         ///< the dummy prefix goes to the end
  std::string unknown_surface = " \u2047 ";  ///< what the unknown token is decoded to
  SentencePieceNormalization normalization;
  SentencePieceNormalization denormalization;
};

/// Throws Error{input} or Error{unsupported} that begins with `name` and says what is wrong.
SentencePieceSpec parse_sentencepiece_spec(std::string_view name, std::string_view bytes);

}  // namespace kvzip
