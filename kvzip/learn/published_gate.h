// Gates that others have published, by the arrays in their files:
//
//     KVzap, linear   layers.N.weight, layers.N.bias
//     KVzap, MLP      layers.N.0.weight, layers.N.0.bias, layers.N.2.weight, layers.N.2.bias
//     Fast KVzip      layers.N.{q_proj.weight, q_proj.bias, k_proj.weight, q_norm.weight, k_norm.weight, k_base, b}
//
// KVzap's are folders with a config.json and a model.safetensors; scripts/convert_gate makes such arrays of Fast
// KVzip's .pt files. None of them says which model it was made for: shapes are all that can be checked. Reading takes
// untrusted bytes.
#pragma once

#include <string>

#include "kvzip/model/safetensors.h"
#include "kvzip/stages/gate_weights.h"

namespace kvzip {

/// Whether the file's arrays are those of one of them.
bool is_published_gate(const SafetensorsFile& file);

struct PublishedGate {
  std::string kind;  ///< "KVzap, linear", "KVzap, MLP" or "Fast KVzip"
  AnyGateWeights weights;
};
/// N counts the model's layers for KVzap, and scored ones for Fast KVzip. Throws Error{input} naming the array that is
/// missing, or of another shape than the model needs.
PublishedGate read_published_gate(const SafetensorsFile& file, const Model& model);

/// Checks the config.json of a folder with one of KVzap's. Throws Error{input} naming the field.
void check_gate_config(const std::string& path, const PublishedGate& gate, const Model& model);

}  // namespace kvzip
