#include "kvzip/text/sentencepiece.h"

#include "kvzip/text/replace.h"

namespace kvzip {

SentencePiece::SentencePiece(Vocabulary vocabulary)
    : VocabularyTokenizer(std::move(vocabulary.tokens), std::move(vocabulary.kinds),
                          {.space_prefix = vocabulary.add_space_prefix}),
      fallback_(byte_fallback()),
      bpe_({.tokens = tokens(), .kinds = kinds(), .index = index(), .fallback = fallback_},
           std::move(vocabulary.scores), false) {
  add_pieces();
}

void SentencePiece::add_pieces() {
  for (size_t i = 0; i < tokens().size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    add_piece([&](std::string& out) {
      switch (kind(id)) {
        case TokenKind::control:
          return;
        case TokenKind::unknown:
          out += "\uFFFD";
          return;
        case TokenKind::byte:
          out += static_cast<char>(*parse_byte_token(tokens()[i]));  // byte_fallback() has checked them
          return;
        default:
          append_replaced(tokens()[i], kSpelledSpace, " ", out);
      }
    });
  }
}

void SentencePiece::encode_plain(std::string_view text, bool space_before, EncodeWork& work) const {
  bpe_.encode(text, space_before, work);
}

}  // namespace kvzip
