#include "kvzip/text/formats/sentencepiece_tokenizer.h"

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/text/replace.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

Unigram make_unigram(const std::vector<std::string>& pieces, const std::vector<float>& scores,
                     const UnigramOptions& options) {
  std::vector<std::pair<std::string, double>> list;
  list.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) list.emplace_back(pieces[i], scores[i]);
  return {list, options};
}

}  // namespace

SentencePieceTokenizer::SentencePieceTokenizer(SentencePieceSpec spec, const SentencePieceOptions& options)
    : VocabularyTokenizer(
          std::move(spec.pieces), std::move(spec.kinds),
          {.space_prefix = true, .find_control = options.find_control_tokens, .find_user_defined = false}),
      spec_(std::move(spec)),
      fallback_(byte_fallback()),
      normalizer_(spec_.normalization, spec_.whitespace_as_suffix, user_defined_) {
  add_pieces(spec_.unknown_surface);
  add_user_defined();
  if (!spec_.denormalization.charsmap.empty()) denormalizer_.emplace(spec_.denormalization, false, none_);
  if (spec_.type == SentencePieceModelType::bpe) {
    if (!spec_.normalization.escape_whitespaces) {
      throw Error(ErrorCode::unsupported,
                  "normalizer_spec: escape_whitespaces: expected true in a bpe model, found false");
    }
    bpe_.emplace(SentencePieceBpeTables{.tokens = tokens(), .kinds = kinds(), .index = index(), .fallback = fallback_},
                 std::move(spec_.scores), true);
  } else if (spec_.type == SentencePieceModelType::unigram) {
    unigram_.emplace(make_unigram(
        tokens(), spec_.scores,
        {.unknown = unknown(), .byte_fallback = spec_.byte_fallback, .kinds = kinds(), .single_precision = true}));
  }
}

void SentencePieceTokenizer::add_pieces(const std::string& unknown_surface) {
  for (size_t i = 0; i < tokens().size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    add_piece([&](std::string& out) {
      if (kind(id) == TokenKind::control) return;
      if (kind(id) == TokenKind::unknown) {
        out += unknown_surface;
      } else if (kind(id) == TokenKind::byte) {
        out += static_cast<char>(*parse_byte_token(tokens()[i]));  // byte_fallback() has checked them
      } else {
        append_replaced(tokens()[i], kSpelledSpace, " ", out);
      }
    });
    const bool ordinary = kind(id) == TokenKind::normal || kind(id) == TokenKind::user_defined;
    const bool needs_trie =
        spec_.type == SentencePieceModelType::word || spec_.type == SentencePieceModelType::character;
    if (ordinary && needs_trie) pieces_.add(tokens()[i], id);
  }
}

void SentencePieceTokenizer::add_user_defined() {
  for (size_t i = 0; i < tokens().size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (kind(id) != TokenKind::user_defined) continue;
    const std::string& token = tokens()[i];
    if (token.size() > SpecialTokens::kLongest) {
      throw Error(ErrorCode::unsupported,
                  "pieces[" + std::to_string(i) + "]: expected a user-defined piece of at most " +
                      std::to_string(SpecialTokens::kLongest) + " bytes, found " + std::to_string(token.size()));
    }
    has_user_defined_ = true;
    user_defined_.add(token, id);
    // Normalized text has no spaces, so a piece with one is never found there.
    if (token.find(' ') != std::string::npos) continue;
    std::string spaced;
    append_replaced(token, kSpelledSpace, " ", spaced);
    spaced_user_defined_.add(spaced, id);
    for (size_t at = spaced.find(' ', 1); at < spaced.size(); at = spaced.find(' ', at + 1)) {
      joins_space_[static_cast<uint8_t>(spaced[at - 1])] = true;
    }
  }
}

std::string SentencePieceTokenizer::description() const {
  switch (spec_.type) {
    case SentencePieceModelType::bpe:
      return "sentencepiece bpe";
    case SentencePieceModelType::unigram:
      return "sentencepiece unigram";
    case SentencePieceModelType::word:
      return "sentencepiece word";
    case SentencePieceModelType::character:
      return "sentencepiece char";
  }
  return "sentencepiece";
}

void SentencePieceTokenizer::encode_plain(std::string_view text, bool space_before, EncodeWork& work) const {
  // Spelled as they are, words can be looked up in the cache without a copy of the text.
  const bool prefixed = spec_.normalization.add_dummy_prefix && space_before;
  const bool as_it_is = bpe_ && normalizer_.only_spells_spaces() && !prefixed &&
                        valid_utf8_length(text) == text.size() && text.find(kSpelledSpace) == std::string_view::npos;
  if (as_it_is) return encode_bpe(text, work);
  std::string normalized = normalizer_.normalize(text, space_before);
  if (unigram_) return unigram_->encode(normalized, work.ids);
  if (spec_.type == SentencePieceModelType::word) return encode_words(normalized, work.ids);
  if (spec_.type == SentencePieceModelType::character) return encode_characters(normalized, work.ids);
  std::string& spaced = work.texts.emplace_back();
  spaced.reserve(normalized.size());
  append_replaced(normalized, kSpelledSpace, " ", spaced);
  encode_bpe(spaced, work);
}

size_t SentencePieceTokenizer::find_cut(std::string_view text, size_t from) const {
  // Other normalizations look at neighbours, and Unigram's sums go on from word to word.
  if (!bpe_ || !normalizer_.only_spells_spaces()) return text.size();
  for (size_t at = bpe_->find_cut(text, from); at < text.size(); at = bpe_->find_cut(text, at + 1)) {
    const std::string_view before = text.substr(0, at);
    if (!before.ends_with(kSpelledSpace) && !joins_space_[static_cast<uint8_t>(before.back())]) return at;
  }
  return text.size();
}

void SentencePieceTokenizer::encode_bpe(std::string_view text, EncodeWork& work) const {
  for (size_t at = 0; at < text.size();) {
    const auto found = has_user_defined_ ? spaced_user_defined_.find(text, at) : std::nullopt;
    const size_t plain_end = found ? found->begin : text.size();
    if (plain_end > at) bpe_->encode(text.substr(at, plain_end - at), false, work);
    if (!found) return;
    work.ids.push_back(found->id);
    at = found->end;
  }
}

void SentencePieceTokenizer::append_piece(std::string_view spelling, std::vector<TokenId>& ids) const {
  TokenId id = -1;
  pieces_.prefixes(spelling, [&](size_t length, TokenId found) {
    if (length == spelling.size()) id = found;
  });
  id >= 0 ? ids.push_back(id) : fallback_.append(spelling, ids);
}

void SentencePieceTokenizer::encode_words(std::string_view text, std::vector<TokenId>& ids) const {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(kSpelledSpace, begin + 1), text.size());
    append_piece(text.substr(begin, end - begin), ids);
    begin = end;
  }
}

void SentencePieceTokenizer::encode_characters(std::string_view text, std::vector<TokenId>& ids) const {
  std::optional<SpecialTokens::Found> found;
  for (size_t at = 0; at < text.size();) {
    const bool searches = has_user_defined_ && (at == 0 || (found && found->begin < at));
    if (searches) found = user_defined_.find(text, at);
    const bool special = found && found->begin == at;
    const size_t length = special ? found->end - at : std::min(utf8_length_by_first_byte(text[at]), text.size() - at);
    append_piece(text.substr(at, length), ids);
    at += length;
  }
}

/// Unknown pieces in a row are one; bytes never are.
void SentencePieceTokenizer::finish(std::vector<TokenId>& ids) const {
  const auto rest = std::ranges::unique(ids, [&](TokenId a, TokenId b) { return a == b && a == unknown(); });
  ids.erase(rest.begin(), rest.end());
}

/// decode(), one token after the other. A denormalizer looks at neighbours, so with one the text comes out at the end.
class SentencePieceTokenizer::Stream final : public TokenStream {
 public:
  explicit Stream(const SentencePieceTokenizer& tokenizer)
      : tokenizer_(tokenizer), trims_(tokenizer.spec_.normalization.remove_extra_whitespaces) {
    at_start_ = trims_ || tokenizer.spec_.normalization.add_dummy_prefix;
  }

  void push(TokenId id, std::string& text) override {
    std::string_view bytes = tokenizer_.piece(id);
    const TokenKind what = tokenizer_.kind(id);
    if (what == TokenKind::control) return;
    const bool spells_space =
        what != TokenKind::byte && what != TokenKind::unknown && tokenizer_.spelling(id).starts_with(kSpelledSpace);
    at_start_ = at_start_ && empty_;
    if (at_start_ && spells_space) {
      bytes.remove_prefix(1);
      at_start_ = trims_;
    }
    empty_ = empty_ && bytes.empty();
    (tokenizer_.denormalizer_ ? held_ : text) += bytes;
  }

  void finish(std::string& text) override {
    if (tokenizer_.denormalizer_) text += tokenizer_.denormalizer_->normalize(held_);
  }

 private:
  const SentencePieceTokenizer& tokenizer_;
  bool trims_;
  bool at_start_ = false;  ///< where a piece loses its space
  bool empty_ = true;      ///< no text so far
  std::string held_;
};

std::unique_ptr<TokenStream> SentencePieceTokenizer::stream() const { return std::make_unique<Stream>(*this); }

std::string SentencePieceTokenizer::decode(std::span<const TokenId> ids) const {
  Stream stream(*this);
  std::string text;
  for (const TokenId id : ids) stream.push(id, text);
  stream.finish(text);
  return text;
}

}  // namespace kvzip
