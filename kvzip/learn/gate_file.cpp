#include "kvzip/learn/gate_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
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

[[noreturn]] void fail(const std::string& path, std::string_view field, const std::string& expected,
                       const std::string& found) {
  throw Error(ErrorCode::input, fmt::format("{}: {}: expected {}, found {}", path, field, expected, found));
}

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
    fail(path, kFingerprintKey, "a list of names and values", quote(text, 40));
  Fingerprint fingerprint;
  for (const auto& each : json) fingerprint.push_back({each[0].get<std::string>(), each[1].get<std::string>()});
  return fingerprint;
}

/// The array as f32, which must be `dtype` of that shape and finite.
std::vector<float> values_of(const SafetensorsFile& file, std::string_view name, DType dtype,
                             const std::vector<uint64_t>& shape, Backend& backend) {
  const SafetensorsArray& array = file.at(name);
  const std::string_view wanted = dtype == DType::f16 ? "F16" : "F32";
  if (array.dtype != wanted || array.shape != shape) {
    fail(file.file.path(), name, fmt::format("{} [{}] for this model", wanted, fmt::join(shape, ", ")),
         fmt::format("{} [{}]", quote(array.dtype, 16), fmt::join(array.shape, ", ")));
  }
  const size_t count = array.data.size() / row_bytes(dtype, 1);
  const Tensor stored(backend, dtype, 1, count);
  const Tensor plain(backend, DType::f32, 1, count);
  backend.upload(stored.view().data, array.data.data(), array.data.size());
  backend.convert(stored.view(), plain.view());
  std::vector<float> values(count);
  backend.download(values.data(), plain.view().data, count * sizeof(float));
  if (!std::ranges::all_of(values, [](float value) { return std::isfinite(value); }))
    fail(file.file.path(), name, "finite numbers", "others");
  return values;
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
  const SafetensorsFile file = read_safetensors(path);
  const auto value_of = [&](std::string_view key) -> const std::string& {
    const auto found = file.metadata.find(std::string(key));
    if (found == file.metadata.end()) fail(path, key, "a gate of `kvzip learn`, which says it in its metadata", "none");
    return found->second;
  };
  if (value_of(kFormatKey) != kFormat)
    fail(path, kFormatKey, fmt::format("'{}'", kFormat), quote(value_of(kFormatKey), 40));
  require_fit(path, parse_fingerprint(path, value_of(kFingerprintKey)), fingerprint_of(model));

  GateFile gate;
  gate.weights = {gate_layers(model).size(), model.config().kv_heads, model.config().hidden, {}, {}};
  const auto& [layers, heads, hidden, weights, bias] = gate.weights;
  gate.weights.weights = values_of(file, "weights", DType::f16, {layers, heads, hidden}, model.backend());
  gate.weights.bias = values_of(file, "bias", DType::f32, {layers, heads}, model.backend());
  gate.notes = file.metadata;
  gate.notes.erase(std::string(kFormatKey));
  gate.notes.erase(std::string(kFingerprintKey));
  TextHash hash;
  hash.add(file.file.bytes());
  gate.hash = hash.hex(kHashBytes);
  return gate;
}

}  // namespace kvzip
