#include "kvzip/text/vocabulary_tokenizer.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {

VocabularyTokenizer::VocabularyTokenizer(std::vector<std::string> tokens, std::vector<TokenKind> kinds,
                                         const Options& options)
    : tokens_(std::move(tokens)), kinds_(std::move(kinds)), index_(tokens_), options_(options) {
  size_t bytes = 0;
  for (const std::string& token : tokens_) bytes += token.size();
  pieces_.reserve(bytes + tokens_.size() / 2);
  piece_ends_.reserve(tokens_.size());
  add_special_tokens();
}

void VocabularyTokenizer::add_special_tokens() {
  for (size_t i = 0; i < kinds_.size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    if (kinds_[i] == TokenKind::unknown && unknown_ < 0) unknown_ = id;
    const bool found = kinds_[i] == TokenKind::control        ? options_.find_control
                       : kinds_[i] == TokenKind::user_defined ? options_.find_user_defined
                                                              : false;
    if (!found) continue;
    if (tokens_[i].size() > SpecialTokens::kLongest) {
      throw Error(ErrorCode::unsupported,
                  fmt::format("tokens[{}]: a special token of at most {} bytes expected, found {}", i,
                              SpecialTokens::kLongest, tokens_[i].size()));
    }
    if (!tokens_[i].empty()) specials_.add(tokens_[i], id);
  }
}

std::vector<TokenId> VocabularyTokenizer::encode(std::string_view text) const {
  if (text.size() > kLongestText) {
    throw Error(ErrorCode::input,
                fmt::format("text of {} bytes: at most {} can be encoded at once", text.size(), kLongestText));
  }
  EncodeWork work(text.size());
  work.ids.reserve(text.size() / 4 + 8);
  bool at_start = true;
  for (size_t at = 0; at < text.size();) {
    const auto special = specials_.find(text, at);
    const size_t plain_end = special ? special->begin : text.size();
    if (plain_end > at) encode_plain(text.substr(at, plain_end - at), options_.space_prefix && at_start, work);
    if (!special) break;
    work.ids.push_back(special->id);
    at_start = kind(special->id) == TokenKind::control;
    at = special->end;
  }
  finish(work.ids);
  return std::move(work.ids);
}

ByteFallback VocabularyTokenizer::byte_fallback() const {
  ByteFallback fallback(unknown_);
  for (size_t i = 0; i < kinds_.size(); ++i) {
    if (kinds_[i] != TokenKind::byte) continue;
    const auto byte = parse_byte_token(tokens_[i]);
    if (!byte) {
      throw Error(ErrorCode::input,
                  fmt::format("tokens[{}]: expected a byte token like <0x0A>, found {}", i, quote(tokens_[i])));
    }
    fallback.add(*byte, static_cast<TokenId>(i));
  }
  return fallback;
}

size_t VocabularyTokenizer::checked(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= tokens_.size()) {
    throw Error(ErrorCode::input, fmt::format("token id {}: expected 0 to {}", id, tokens_.size() - 1));
  }
  return static_cast<size_t>(id);
}

std::string_view VocabularyTokenizer::piece(TokenId id) const {
  const size_t i = checked(id);
  const size_t begin = i == 0 ? 0 : piece_ends_[i - 1];
  return std::string_view(pieces_).substr(begin, piece_ends_[i] - begin);
}

std::string VocabularyTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  bool at_start = true;
  for (const TokenId id : ids) {
    std::string_view bytes = piece(id);
    if (options_.space_prefix && at_start && bytes.starts_with(' ')) bytes.remove_prefix(1);
    text += bytes;
    at_start = piece(id).empty();
  }
  return text;
}

}  // namespace kvzip
