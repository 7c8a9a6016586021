// SentencePiece .model files: the tokenizer that one describes. The tokenizer is immutable; safe from any number of
// threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct SentencePieceOptions {
  /// Control tokens (<s>, <start_of_turn>) that are spelled out in a text become their ids, and each stretch of text
  /// between them is encoded by itself. Chat templates need this, so it is the default. The library `sentencepiece`
  /// never does it: there "<s>" in a text is five ordinary characters. User-defined pieces are found either way.
  bool find_control_tokens = true;
};

/// Encodes and decodes as the library `sentencepiece` does with the file at `path` (BPE, Unigram, word and char
/// models), but for two things: control tokens, see above, and bytes that are no UTF-8, which decode() leaves as they
/// are. Throws Error{input} or Error{unsupported} that names the file and what is wrong with it.
std::unique_ptr<Tokenizer> read_sentencepiece_model(const std::string& path, const SentencePieceOptions& options = {});

/// The same for a file's bytes; `name` stands for the file in errors.
std::unique_ptr<Tokenizer> parse_sentencepiece_model(std::string_view name, std::string_view bytes,
                                                     const SentencePieceOptions& options = {});

}  // namespace kvzip
