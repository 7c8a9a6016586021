// vocab.txt: a WordPiece vocabulary, one token a line, as BERT's first models have it. How text is prepared is not in
// the file. The tokenizer is immutable; safe from any number of threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct WordPieceOptions {
  bool lowercase = true;
  std::optional<bool> strip_accents{};  ///< none = where it is lowercased
  bool chinese_chars = true;            ///< ideographs are words of their own
};

/// BERT's tokenizer over that vocabulary, [CLS] and [SEP] around texts and pairs of them. Throws Error{input} that
/// names the file and what is wrong: a token that is there twice, or a missing [UNK], [CLS] or [SEP].
std::unique_ptr<Tokenizer> read_wordpiece_vocabulary(const std::string& path, const WordPieceOptions& options);

/// The same for a file's bytes; `name` stands for the file in errors.
std::unique_ptr<Tokenizer> parse_wordpiece_vocabulary(std::string_view name, std::string_view bytes,
                                                      const WordPieceOptions& options);

}  // namespace kvzip
