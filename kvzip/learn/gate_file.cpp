#include "kvzip/learn/gate_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/learn/gate_arrays.h"
#include "kvzip/learn/published_gate.h"
#include "kvzip/model/safetensors.h"
#include "kvzip/model/safetensors_write.h"
#include "kvzip/store/block_sum.h"
#include "kvzip/store/fingerprint.h"

namespace kvzip {
namespace {

constexpr std::string_view kFormat = "kvzip gate 1";
constexpr std::string_view kFormatKey = "format";
constexpr std::string_view kFingerprintKey = "fingerprint";
constexpr size_t kHashBytes = 4;

std::string fingerprint_text(const Fingerprint& fingerprint) {
  nlohmann::json json = nlohmann::json::array();
  for (const FingerprintValue& each : fingerprint) json.push_back({each.name, each.value});
  return json.dump();
}

Fingerprint parse_fingerprint(const std::string& path, const std::string& text) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  const auto is_pair = [](const nlohmann::json& each) {
    return each.is_array() && each.size() == 2 && each[0].is_string() && each[1].is_string();
  };
  if (!json.is_array() || !std::ranges::all_of(json, is_pair))
    fail_gate(path, kFingerprintKey, "a list of names and values", quote(text, 40));
  Fingerprint fingerprint;
  for (const auto& each : json) fingerprint.push_back({each[0].get<std::string>(), each[1].get<std::string>()});
  return fingerprint;
}

std::vector<uint16_t> as_f16(Backend& backend, const std::vector<float>& values) {
  const Tensor plain(backend, DType::f32, 1, values.size());
  const Tensor half(backend, DType::f16, 1, values.size());
  backend.upload(plain.view().data, values.data(), values.size() * sizeof(float));
  backend.convert(plain.view(), half.view());
  std::vector<uint16_t> bits(values.size());
  backend.download(bits.data(), half.view().data, bits.size() * sizeof(uint16_t));
  return bits;
}

/// One that write_gate() made.
GateFile read_learned(const std::string& path, const SafetensorsFile& file, const Model& model) {
  const auto value_of = [&](std::string_view key) -> const std::string& {
    const auto found = file.metadata.find(std::string(key));
    if (found == file.metadata.end())
      fail_gate(path, key, "a gate of `kvzip learn`, which says it in its metadata", "none");
    return found->second;
  };
  if (value_of(kFormatKey) != kFormat)
    fail_gate(path, kFormatKey, fmt::format("'{}'", kFormat), quote(value_of(kFormatKey), 40));
  require_fit(path, parse_fingerprint(path, value_of(kFingerprintKey)), fingerprint_of(model));
  GateWeights weights{gate_layers(model).size(), model.config().kv_heads, model.config().hidden, {}, {}};
  const auto& [layers, heads, hidden, values, bias] = weights;
  weights.weights = array_values(file, "weights", {layers, heads, hidden}, model.backend());
  weights.bias = array_values(file, "bias", {layers, heads}, model.backend());
  GateNotes notes = file.metadata;
  notes.erase(std::string(kFormatKey));
  notes.erase(std::string(kFingerprintKey));
  return {std::move(weights), std::move(notes), {}};
}

}  // namespace

void write_gate(const std::string& path, const Model& model, const GateWeights& gate, const GateNotes& notes) {
  check(gate.fits(model), "a gate has the model's shape");
  const std::vector<uint16_t> weights = as_f16(model.backend(), gate.weights);
  std::map<std::string, std::string> metadata = notes;
  metadata[std::string(kFormatKey)] = kFormat;
  metadata[std::string(kFingerprintKey)] = fingerprint_text(fingerprint_of(model));
  write_safetensors(path,
                    std::vector<NamedArray>{
                        {"weights", {gate.layers, gate.kv_heads, gate.hidden}, std::span<const uint16_t>(weights)},
                        {"bias", {gate.layers, gate.kv_heads}, std::span<const float>(gate.bias)}},
                    metadata);
}

GateFile read_gate(const std::string& path, const Model& model) {
  const bool folder = std::filesystem::is_directory(path);
  const SafetensorsFile file = read_safetensors(folder ? path + "/model.safetensors" : path);
  GateFile gate;
  if (!folder && file.metadata.contains(std::string(kFormatKey))) {
    gate = read_learned(path, file, model);
  } else if (is_published_gate(file)) {
    PublishedGate published = read_published_gate(file, model);
    if (folder) check_gate_config(path + "/config.json", published, model);
    gate = {std::move(published.weights), {{"kind", published.kind}}, {}};
  } else {
    fail_gate(path, "arrays", "those of a gate of `kvzip learn`, of KVzap or of Fast KVzip", "others");
  }
  TextHash hash;
  hash.add(file.file.bytes());
  gate.hash = hash.hex(kHashBytes);
  return gate;
}

}  // namespace kvzip
