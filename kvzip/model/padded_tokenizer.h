// A tokenizer for a model whose vocabulary has another size: rows that were added to make it a round number, or tokens
// that the model has no row for. Immutable; safe from any number of threads.
#pragma once

#include <memory>

#include "kvzip/text/tokenizer.h"

namespace kvzip {

class PaddedTokenizer : public Tokenizer {
 public:
  PaddedTokenizer(std::unique_ptr<Tokenizer> tokenizer, size_t vocab);

  /// Throws Error{input} also for a token that the model has no row for.
  std::vector<TokenId> encode(std::string_view text) const override;
  /// Ids of rows without a token give nothing, here and below.
  std::string_view piece(TokenId id) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  size_t vocab_size() const override { return vocab_; }
  std::optional<TokenId> find(std::string_view token) const override;
  std::string_view spelling(TokenId id) const override;
  std::string description() const override { return tokenizer_->description(); }

 private:
  bool is_padding(TokenId id) const;

  std::unique_ptr<Tokenizer> tokenizer_;
  size_t vocab_;
};

}  // namespace kvzip
