// The tokenizer that a tokenizer.json file describes: added tokens are found, the text between them is normalized, cut
// into words and made tokens of. Immutable once made; safe from any number of threads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kvzip/text/pipeline/added_tokens.h"
#include "kvzip/text/pipeline/decoder.h"
#include "kvzip/text/pipeline/model.h"
#include "kvzip/text/pipeline/normalizer.h"
#include "kvzip/text/pipeline/post_processor.h"
#include "kvzip/text/pipeline/pre_tokenizer.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

class PipelineTokenizer final : public Tokenizer {
 public:
  /// `file` is the whole document, which need not outlive this.
  explicit PipelineTokenizer(const Component& file);

  std::vector<TokenId> encode(std::string_view text) const override;
  std::string_view piece(TokenId id) const override { return pieces_[checked(id)]; }
  std::string decode(std::span<const TokenId> ids) const override { return decode(ids, false); }
  std::string verbatim(std::span<const TokenId> ids) const override { return decode(ids, true); }
  std::unique_ptr<TokenStream> stream() const override;
  std::vector<TokenId> with_special_tokens(std::span<const TokenId> first,
                                           std::optional<std::span<const TokenId>> second) const override;
  size_t vocab_size() const override { return tokens_.size(); }
  std::optional<TokenId> find(std::string_view token) const override;
  std::string_view spelling(TokenId id) const override { return tokens_[checked(id)].content; }
  std::string description() const override { return std::string(model_->name()) + " (tokenizer.json)"; }

 private:
  class Stream;
  class Encoding;
  struct Token {
    std::string content;
    std::string spelling;  ///< as decoders see it
    bool special = false;  ///< left out of decoded text
  };

  size_t checked(TokenId id) const;
  std::string decode(std::span<const TokenId> ids, bool verbatim) const;
  /// Appends the ids of text without added tokens.
  void encode_piece(const Piece& piece, TextStore& store, EncodeWork& work) const;
  /// The first place at or behind `from` where text without added tokens can be cut into two that have the same ids.
  size_t find_cut(std::string_view text, size_t from) const;
  void add_tokens();
  void add_pieces();

  std::unique_ptr<Normalizer> normalizer_;  ///< null: none
  PreTokenizerChain pre_tokenizer_;
  bool bytes_ = false;  ///< the model takes bytes as they are
  std::unique_ptr<PipelineModel> model_;
  std::vector<AddedToken> added_;
  AddedTokenFinder raw_finder_;
  AddedTokenFinder normalized_finder_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<Token> tokens_;  ///< by id
  std::vector<std::string> pieces_;
  PostProcessor post_processor_;
};

}  // namespace kvzip
