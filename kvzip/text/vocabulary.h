// A tokenizer's vocabulary as model files give it, before it is indexed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// GGUF's token types, with their numbers.
enum class TokenKind : uint8_t { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct Vocabulary {
  std::string model;                ///< "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)
  std::string pre;                  ///< pre-tokenizer of byte-level BPE: smollm, qwen2, llama-bpe, gpt-2, default
  std::vector<std::string> tokens;  ///< spelling by id
  std::vector<TokenKind> kinds;     ///< by id; empty = all normal
  std::vector<float> scores;        ///< by id; SentencePiece only
  std::vector<std::string> merges;  ///< "left right", best first; byte-level BPE only
  bool add_space_prefix = true;     ///< SentencePiece: put a space before the text
};

/// Indexes the vocabulary. Throws Error{input} or Error{unsupported} that names what is wrong with it.
std::unique_ptr<Tokenizer> make_tokenizer(Vocabulary vocabulary);

}  // namespace kvzip
