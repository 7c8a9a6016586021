// What makes tokens of words: the section "model" of tokenizer.json. Immutable once made; safe from any number of
// threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/encode_work.h"
#include "kvzip/text/pipeline/component.h"
#include "kvzip/text/token_index.h"

namespace kvzip {

class PipelineModel {
 public:
  /// The tokens by id. Throws Error{input} naming `component` where two are spelled alike.
  PipelineModel(const Component& component, std::vector<std::string> tokens);
  PipelineModel(const PipelineModel&) = delete;
  PipelineModel& operator=(const PipelineModel&) = delete;
  virtual ~PipelineModel() = default;

  /// Appends the ids of a word, which is not empty and outlives `work`. Throws Error{input} where a part of it has no
  /// token and the model has none for what is unknown.
  virtual void encode(std::string_view word, EncodeWork& work) const = 0;
  /// Appends the token of a byte that is not part of a character; only for models that take bytes.
  virtual void append_byte(char /*byte*/, EncodeWork& /*work*/) const {}
  /// The first place at or behind `from`, which is at least 1, where a word can be cut into two that have the same ids;
  /// the end where there is none.
  virtual size_t find_cut(std::string_view word, size_t /*from*/) const { return word.size(); }
  virtual std::string_view name() const = 0;

  const std::vector<std::string>& tokens() const { return tokens_; }
  std::optional<TokenId> find(std::string_view token) const { return index_.find(token); }

 private:
  std::vector<std::string> tokens_;
  TokenIndex index_;
};

/// Throws Error{unsupported} that names an unknown type.
std::unique_ptr<PipelineModel> make_pipeline_model(const Component& component);

/// The same for words whose bytes are not spelled in ByteLevel's alphabet; null where the model can't take them.
std::unique_ptr<PipelineModel> make_byte_model(const Component& component);

/// The tokens that the field "vocab", an object from spellings to ids, names. Throws Error{input} for ids that are not
/// exactly those from 0 to the number of tokens.
std::vector<std::string> read_vocabulary(const Component& component);

}  // namespace kvzip
