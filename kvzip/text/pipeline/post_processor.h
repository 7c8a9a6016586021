// The special tokens that go around texts: the section "post_processor" of tokenizer.json. Immutable once made; safe
// from any number of threads.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvzip/text/pipeline/component.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// Two templates: of one text, and of a pair of texts.
class PostProcessor {
 public:
  /// The texts as they are.
  PostProcessor();
  /// Throws Error{unsupported} that names an unknown type, or a second type that adds tokens. Special tokens are not
  /// compared with the vocabulary, whose size is `vocab_size`, beyond that.
  PostProcessor(const Component& component, size_t vocab_size);

  std::vector<TokenId> apply(std::span<const TokenId> first, std::optional<std::span<const TokenId>> second) const;

 private:
  static constexpr TokenId kFirst = -1;
  static constexpr TokenId kSecond = -2;

  void add(const Component& component, size_t vocab_size);
  void set_bert(const Component& component, size_t vocab_size);
  void set_roberta(const Component& component, size_t vocab_size);
  void set_templates(const Component& component, size_t vocab_size);

  bool adds_ = false;            ///< whether a part of it adds tokens
  std::vector<TokenId> single_;  ///< ids of special tokens, kFirst and kSecond
  std::vector<TokenId> pair_;
};

}  // namespace kvzip
