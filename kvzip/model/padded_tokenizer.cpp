#include "kvzip/model/padded_tokenizer.h"

#include <fmt/format.h>

#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {

PaddedTokenizer::PaddedTokenizer(std::unique_ptr<Tokenizer> tokenizer, size_t vocab)
    : tokenizer_(std::move(tokenizer)), vocab_(vocab) {}

std::vector<TokenId> PaddedTokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids = tokenizer_->encode(text);
  for (const TokenId id : ids) {
    if (static_cast<size_t>(id) < vocab_) continue;
    throw Error(ErrorCode::input, fmt::format("text: expected tokens that the model's vocabulary of {} has, found {}",
                                              vocab_, quote(tokenizer_->spelling(id))));
  }
  return ids;
}

std::string_view PaddedTokenizer::piece(TokenId id) const {
  return is_padding(id) ? std::string_view{} : tokenizer_->piece(id);
}

std::string PaddedTokenizer::decode(std::span<const TokenId> ids) const {
  std::vector<TokenId> known;
  for (const TokenId id : ids) {
    if (!is_padding(id)) known.push_back(id);
  }
  return tokenizer_->decode(known);
}

std::optional<TokenId> PaddedTokenizer::find(std::string_view token) const {
  const auto id = tokenizer_->find(token);
  return id && static_cast<size_t>(*id) < vocab_ ? id : std::nullopt;
}

std::string_view PaddedTokenizer::spelling(TokenId id) const {
  return is_padding(id) ? std::string_view{} : tokenizer_->spelling(id);
}

bool PaddedTokenizer::is_padding(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) >= tokenizer_->vocab_size() && static_cast<size_t>(id) < vocab_;
}

}  // namespace kvzip
