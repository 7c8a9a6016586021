#include "kvzip/stages/encode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/model/forward.h"

namespace kvzip {
namespace {

/// The pooler's tanh is worth no operation of its own.
std::vector<float> pool(const Model& model, const ConstView& first) {
  const Weights& weights = model.weights();
  if (weights.pooler.rows == 0) return {};
  Backend& backend = model.backend();
  const Tensor input(backend, backend.activation_type(), 1, first.cols);
  const Tensor output(backend, DType::f32, 1, first.cols);
  backend.convert(first, input.view());
  backend.linear(input.view(), std::array{LinearPart{weights.pooler, weights.pooler_bias, output.view(), false}});
  std::vector<float> pooled(first.cols);
  backend.download(pooled.data(), output.view().data, pooled.size() * sizeof(float));
  for (float& value : pooled) value = std::tanh(value);
  return pooled;
}

}  // namespace

EncoderInput encoder_input(const Model& model, std::string_view first, std::optional<std::string_view> second) {
  const Tokenizer& tokenizer = model.tokenizer();
  const std::vector<TokenId> ids = tokenizer.encode(first);
  EncoderInput input{tokenizer.with_special_tokens(ids), {}};
  const size_t end = input.ids.size();
  if (second) {
    if (model.config().token_types < 2) {
      throw Error(ErrorCode::input, fmt::format("pair: expected one text for {}, which tells no two apart, found two",
                                                model.config().name));
    }
    const std::vector<TokenId> more = tokenizer.encode(*second);
    input.ids = tokenizer.with_special_tokens(ids, more);
  }
  input.types.assign(input.ids.size(), 1);
  std::fill_n(input.types.begin(), std::min(end, input.ids.size()), 0);
  return input;
}

std::vector<float> Encoding::mean() const {
  std::vector<float> mean(hidden);
  for (size_t i = 0; i < states.size(); ++i) mean[i % hidden] += states[i] / static_cast<float>(tokens);
  return mean;
}

Encoding encode(const Model& model, const EncoderInput& input, DType kv_type) {
  require_encoder(model.config());
  if (input.ids.empty()) throw Error(ErrorCode::input, "text: expected some tokens, found none");
  Tail tail(model.backend(), model.cache_shape(kv_type), 0);
  Forward forward(model);
  const ConstView states =
      forward.hidden({.tokens = input.ids, .token_types = input.types, .tail = &tail, .logits = Logits::all});
  Encoding encoding{.tokens = states.rows, .hidden = states.cols, .states = {}, .pooled = {}};
  encoding.states.resize(states.rows * states.cols);
  model.backend().download(encoding.states.data(), states.data, encoding.states.size() * sizeof(float));
  encoding.pooled = pool(model, rows_of(states, 0, 1));
  return encoding;
}

}  // namespace kvzip
