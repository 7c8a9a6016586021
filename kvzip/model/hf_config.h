// The hyperparameters of Hugging Face folders: config.json. Stateless.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "kvzip/base/json_fields.h"
#include "kvzip/model/config.h"

namespace kvzip {

struct HfConfig {
  ModelConfig model;
  const HfFamily* family = nullptr;
};

/// Reads and checks the document of the config.json at `path`. Keys that are absent have the values that the family's
/// class in transformers gives them. Throws Error{input} naming the file and the field, Error{unsupported} for a family
/// or a variant that isn't ours.
HfConfig read_hf_config(const std::string& path, const nlohmann::json& document);

/// The part of it about positions, in either spelling: rope_scaling, or rope_parameters of transformers 5. Sets rope,
/// local_rope and, where scaling extends it, context_length; the other sizes are there already.
void read_hf_rope(const JsonFields& fields, const HfFamily& family, ModelConfig& config);

}  // namespace kvzip
