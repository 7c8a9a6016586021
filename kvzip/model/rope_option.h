// RoPE scaling that the user chooses instead of what the model's files say. Stateless.
#pragma once

#include <string_view>

#include "kvzip/model/config.h"

namespace kvzip {

struct RopeOption {
  RopeScaling scaling = RopeScaling::none;
  double factor = 1;
};

/// "none", "linear:4" or "yarn:4". Throws Error{usage} for anything else.
RopeOption parse_rope_option(std::string_view text);

/// Replaces the scaling of layers that see the whole context, and multiplies the context length that the model was
/// trained with by the factor. Throws Error{usage} for a model whose own scaling can't be taken away (Llama 3.1's).
void apply_rope_option(const RopeOption& option, ModelConfig& config);

}  // namespace kvzip
