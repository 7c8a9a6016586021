// Encoding: a text, or a pair of texts, through an encoder such as BERT, as vectors. Stateless; one thread at a time.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "kvzip/model/model.h"

namespace kvzip {

/// Tokens with those that the encoder expects around them, and which text each belongs to.
struct EncoderInput {
  std::vector<TokenId> ids;
  std::vector<TokenId> types;  ///< 0 up to the end of the first text, then 1 ([CLS] first [SEP] | second [SEP])
};

/// Throws Error{input} for a second text where the model tells none apart.
EncoderInput encoder_input(const Model& model, std::string_view first, std::optional<std::string_view> second = {});

struct Encoding {
  size_t tokens = 0;
  size_t hidden = 0;
  std::vector<float> states;  ///< `[tokens, hidden]`: what leaves the last layer
  std::vector<float> pooled;  ///< `[hidden]`: tanh(W states[0] + b); empty where the model has no pooler

  /// `[hidden]`: the mean of all states.
  std::vector<float> mean() const;
};

/// Throws Error{unsupported} for a model that is no encoder, Error{input} for more tokens than it has positions or
/// none. Keys and values are held as `kv_type` (f32, f16, bf16) meanwhile.
Encoding encode(const Model& model, const EncoderInput& input, DType kv_type = DType::f16);

}  // namespace kvzip
