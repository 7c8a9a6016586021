#include "kvzip/text/vocabulary_tokenizer.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/text_cuts.h"

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
  return encode_in_parts(text, encode_part_bytes(text.size()));
}

std::vector<TokenId> VocabularyTokenizer::encode_in_parts(std::string_view text, size_t part_bytes) const {
  if (text.size() > kLongestText) {
    throw Error(ErrorCode::input,
                fmt::format("text of {} bytes: at most {} can be encoded at once", text.size(), kLongestText));
  }
  const std::vector<Part> parts = parts_of(text, part_bytes);
  std::vector<TokenId> ids = encode_parts(parts.size(), [&](size_t part, std::vector<TokenId>& part_ids) {
    const size_t bytes = parts[part].end - parts[part].begin;
    EncodeWork work(bytes);
    work.ids.reserve(bytes / 4 + 8);
    encode_part(text, parts[part], work);
    part_ids = std::move(work.ids);
  });
  finish(ids);
  return ids;
}

std::vector<VocabularyTokenizer::Part> VocabularyTokenizer::parts_of(std::string_view text, size_t part_bytes) const {
  std::vector<Part> parts;
  Part part{.begin = 0, .end = text.size(), .at_start = true};
  const auto cut = [&](size_t at, bool at_start) {
    parts.push_back({.begin = part.begin, .end = at, .at_start = part.at_start});
    part.begin = at;
    part.at_start = at_start;
  };
  // Where the whole text is one part there is no need to look.
  for (size_t at = 0; at < text.size() && text.size() - part.begin > part_bytes;) {
    const auto special = specials_.find(text, at);
    const std::string_view plain = text.substr(at, (special ? special->begin : text.size()) - at);
    while (at + plain.size() - part.begin > part_bytes) {
      const size_t from = part.begin + part_bytes - std::min(at, part.begin + part_bytes);
      const size_t end = find_cut(plain, std::max<size_t>(from, 1));
      if (end >= plain.size()) break;
      cut(at + end, false);
    }
    if (!special) break;
    at = special->end;
    if (at - part.begin >= part_bytes) cut(at, kind(special->id) == TokenKind::control);
  }
  cut(text.size(), false);
  return parts;
}

void VocabularyTokenizer::encode_part(std::string_view text, const Part& part, EncodeWork& work) const {
  text = text.substr(0, part.end);
  bool at_start = part.at_start;
  for (size_t at = part.begin; at < text.size();) {
    const auto special = specials_.find(text, at);
    const size_t plain_end = special ? special->begin : text.size();
    if (plain_end > at) encode_plain(text.substr(at, plain_end - at), options_.space_prefix && at_start, work);
    if (!special) break;
    work.ids.push_back(special->id);
    at_start = kind(special->id) == TokenKind::control;
    at = special->end;
  }
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
