#include "kvzip/text/byte_bpe.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/text_cuts.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

ByteBpe::ByteBpe(Vocabulary vocabulary)
    : VocabularyTokenizer(std::move(vocabulary.tokens), std::move(vocabulary.kinds), {}),
      pre_tokenizer_(vocabulary.pre),
      merges_(make_merges(vocabulary.merges)) {
  add_pieces();
}

void ByteBpe::add_pieces() {
  for (size_t id = 0; id < tokens().size(); ++id) {
    const std::string& token = tokens()[id];
    add_piece([&](std::string& out) {
      switch (kind(static_cast<TokenId>(id))) {
        case TokenKind::control:
          return;
        case TokenKind::unknown:
          out += "\uFFFD";
          return;
        case TokenKind::user_defined:
          out += token;
          return;  // added tokens are spelled as they stand in text
        default:
          if (!append_spelled_bytes(token, out)) out += token;
      }
    });
  }
}

ByteMerges ByteBpe::make_merges(const std::vector<std::string>& merges) const {
  ByteMerges::ByteTokens byte_tokens{};
  for (size_t byte = 0; byte < byte_tokens.size(); ++byte) {
    byte_tokens[byte] = find(byte_spelling(static_cast<uint8_t>(byte))).value_or(-1);
  }
  MergeIndex index(merges.size());
  std::string joined;
  for (size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view line = merges[rank];
    const size_t space = std::min(line.find(' '), line.size());
    const std::string_view left = line.substr(0, space);
    const std::string_view right = line.substr(std::min(space + 1, line.size()));
    joined.assign(left).append(right);
    const auto left_id = find(left);
    const auto right_id = find(right);
    const auto merged = find(joined);
    if (!left_id || !right_id || !merged) {
      throw Error(
          ErrorCode::input,
          fmt::format("tokenizer.ggml.merges[{}]: expected two tokens that make a third, found {}", rank, quote(line)));
    }
    index.add(*left_id, *right_id, {.rank = static_cast<uint32_t>(rank), .merged = *merged});
  }
  return {byte_tokens, unknown(), std::move(index)};
}

void ByteBpe::encode_plain(std::string_view text, bool /*space_before*/, EncodeWork& work) const {
  while (!text.empty()) {
    const size_t valid = valid_utf8_length(text);
    pre_tokenizer_.split(text.substr(0, valid), [&](std::string_view word) {
      work.cache.append(word, work.ids, [&] { encode_word(word, work); });
    });
    text.remove_prefix(valid);
    if (text.empty()) break;
    const size_t invalid = utf8_step(text).length;
    for (const char byte : text.substr(0, invalid)) merges_.append_byte(byte, work.ids);
    text.remove_prefix(invalid);
  }
}

// All patterns of PreTokenizer end their words there.
size_t ByteBpe::find_cut(std::string_view text, size_t from) const { return find_word_cut(text, from); }

void ByteBpe::encode_word(std::string_view word, EncodeWork& work) const {
  if (pre_tokenizer_.whole_words_first()) {
    const auto whole = find(spell_bytes(word));
    if (whole && kind(*whole) == TokenKind::normal) return work.ids.push_back(*whole);
  }
  merges_.encode(word, work.symbols, work.ids);
}

}  // namespace kvzip
