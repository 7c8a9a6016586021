// Gates in files: our own, safetensors with weights, bias and, as metadata, the fingerprint of the model that they were
// learned for; and those that others publish. Reading takes untrusted bytes.
#pragma once

#include <map>
#include <string>

#include "kvzip/stages/gate.h"

namespace kvzip {

/// How a gate was learned, for people: names and values.
using GateNotes = std::map<std::string, std::string>;

/// Makes or replaces the file at `path` in one step: `weights` `[layers, kv_heads, hidden]` in f16, `bias`
/// `[layers, kv_heads]` in f32. The weights must be the model's. Throws Error{input} where it can't be written.
void write_gate(const std::string& path, const Model& model, const GateWeights& gate, const GateNotes& notes);

struct GateFile {
  AnyGateWeights weights;
  GateNotes notes;   ///< of a published one, its "kind"
  std::string hash;  ///< of the file, 8 hexadecimal digits: what results and stores call the gate
};
/// Of the file at `path`, or the folder of a published one (published_gate.h). Throws Error{input} naming the file and
/// what is wrong with it, or every value in which the model that it was learned for differs from `model`.
GateFile read_gate(const std::string& path, const Model& model);

}  // namespace kvzip
