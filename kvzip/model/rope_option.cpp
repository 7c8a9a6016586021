#include "kvzip/model/rope_option.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

constexpr double kMaxRopeFactor = 1024;

}  // namespace

RopeOption parse_rope_option(std::string_view text) {
  if (text == "none") return {};
  const size_t colon = text.find(':');
  const std::string_view kind = text.substr(0, colon);
  const std::string_view number = colon == std::string_view::npos ? std::string_view{} : text.substr(colon + 1);
  const RopeOption option{kind == "yarn" ? RopeScaling::yarn : RopeScaling::linear,
                          parse_number<double>(number).value_or(0)};
  if ((kind != "yarn" && kind != "linear") || !(option.factor >= 1) || option.factor > kMaxRopeFactor) {
    throw Error(ErrorCode::usage,
                fmt::format("rope scaling: expected none, linear:N or yarn:N with N from 1 to {}, found {}",
                            kMaxRopeFactor, quote(text)));
  }
  return option;
}

void apply_rope_option(const RopeOption& option, ModelConfig& config) {
  RopeConfig& rope = config.rope;
  if (rope.dims == 0)
    throw Error(ErrorCode::usage, "rope scaling: expected a model with RoPE, found one with learned positions");
  if (!rope.frequency_divisors.empty()) {
    throw Error(ErrorCode::usage,
                "rope scaling: expected a model without a scaling for each frequency, found one (Llama 3.1)");
  }
  const size_t trained = rope.scaling == RopeScaling::yarn ? rope.original_context : config.context_length;
  rope = {.base = rope.base,
          .dims = rope.dims,
          .scaling = option.scaling,
          .factor = option.factor,
          .original_context = trained,
          .frequency_divisors = {}};
  config.context_length = static_cast<size_t>(static_cast<double>(trained) * option.factor);
}

}  // namespace kvzip
