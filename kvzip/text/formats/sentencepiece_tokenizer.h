// A tokenizer that follows the library `sentencepiece` step by step. Immutable once made; safe from any number of
// threads.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/byte_trie.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/formats/sentencepiece_normalizer.h"
#include "kvzip/text/sentencepiece_bpe.h"
#include "kvzip/text/unigram.h"
#include "kvzip/text/vocabulary_tokenizer.h"

namespace kvzip {

class SentencePieceTokenizer final : public VocabularyTokenizer {
 public:
  /// Throws Error{input} or Error{unsupported} for what parse_sentencepiece_spec() could not see.
  SentencePieceTokenizer(SentencePieceSpec spec, const SentencePieceOptions& options);

  std::string decode(std::span<const TokenId> ids) const override;
  std::unique_ptr<TokenStream> stream() const override;
  std::string description() const override;

 private:
  class Stream;

  void encode_plain(std::string_view text, bool space_before, EncodeWork& work) const override;
  size_t find_cut(std::string_view text, size_t from) const override;
  void finish(std::vector<TokenId>& ids) const override;

  void add_pieces(const std::string& unknown_surface);
  void add_user_defined();
  /// `text` with spaces instead of U+2581, cut at user-defined pieces.
  void encode_bpe(std::string_view text, EncodeWork& work) const;
  void encode_words(std::string_view text, std::vector<TokenId>& ids) const;
  void encode_characters(std::string_view text, std::vector<TokenId>& ids) const;
  /// Appends the normal or user-defined piece spelled exactly so, or what stands in for it.
  void append_piece(std::string_view spelling, std::vector<TokenId>& ids) const;

  SentencePieceSpec spec_;  ///< without pieces and scores
  SpecialTokens user_defined_;
  SpecialTokens spaced_user_defined_;  ///< with spaces for U+2581
  SpecialTokens none_;
  bool has_user_defined_ = false;
  std::array<bool, 256> joins_space_{};  ///< by byte: whether a user-defined piece has a space right behind it
  ByteFallback fallback_;
  SentencePieceNormalizer normalizer_;
  std::optional<SentencePieceNormalizer> denormalizer_;
  std::optional<SentencePieceBpe> bpe_;
  std::optional<Unigram> unigram_;
  ByteTrie pieces_;  ///< of word and character models
};

}  // namespace kvzip
