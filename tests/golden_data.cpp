#include "tests/golden_data.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"

namespace kvzip::golden {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

float half_to_float(uint16_t bits) {
  const int exponent = (bits >> 10U) & 31U;
  const float fraction = static_cast<float>(bits & 1023U) / 1024;
  const float sign = (bits & 0x8000U) != 0 ? -1.0F : 1.0F;
  if (exponent == 31) return fraction == 0 ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(fraction, -14);
  return sign * std::ldexp(1 + fraction, exponent - 15);
}

std::map<std::string, GoldenTensor> read_tensors(const std::string& path) {
  std::map<std::string, GoldenTensor> tensors;
  const SafetensorsFile file = read_safetensors(path);
  for (const auto& [name, tensor] : file.arrays) {
    GoldenTensor& to = tensors[name];
    to.shape.assign(tensor.shape.begin(), tensor.shape.end());
    const std::byte* data = tensor.data.data();
    const auto read = [&]<class T>(T, auto convert) {
      for (size_t i = 0; i < tensor.data.size() / sizeof(T); ++i) {
        T value;
        std::memcpy(&value, data + i * sizeof(T), sizeof(T));
        to.values.push_back(convert(value));
      }
    };
    if (tensor.dtype == "F32") {
      read(float{}, [](float value) { return value; });
    } else if (tensor.dtype == "F16") {
      read(uint16_t{}, half_to_float);
    } else if (tensor.dtype == "U8" || tensor.dtype == "BOOL") {
      read(uint8_t{}, [](uint8_t value) { return static_cast<float>(value); });
    } else {
      throw Error(ErrorCode::unsupported, fmt::format("{}: tensor {}: type {}", path, name, tensor.dtype));
    }
  }
  return tensors;
}

GoldenCase read_case(const json& from) {
  GoldenCase to;
  to.level = level_by_name(from.at("level").get<std::string>());
  to.ratio = from.at("ratio");
  to.name = fmt::format("{}_{}", level_name(to.level), to.ratio);
  to.threshold = from.at("threshold");
  if (from.contains("kept_per_head")) to.kept_per_head = from["kept_per_head"];
  if (from.contains("greedy")) to.greedy = from["greedy"].get<std::vector<TokenId>>();
  for (const json& answer : from.value("answers", json::array())) {
    to.answers.push_back({answer.at("query"), answer.at("text"), answer.value("p_answer", std::vector<double>{}),
                          answer.at("min_top2_margin")});
  }
  return to;
}

void read_repeat_inputs(const json& from, Golden& golden) {
  size_t begin = 0;
  for (const json& input : from) {
    golden.repeat_inputs.push_back({begin, input.at(0), input.at(1)});
    begin += golden.repeat_inputs.back().len;
  }
}

}  // namespace

Scores Golden::scores() const {
  const GoldenTensor& tensor = tensors.at("score");
  Scores scores(tensor.shape.at(0), tensor.shape.at(1), tensor.shape.at(2));
  scores.values = tensor.values;
  return scores;
}

const GoldenTensor* Golden::find(const std::string& name) const {
  const auto found = tensors.find(name);
  return found == tensors.end() ? nullptr : &found->second;
}

Golden read_golden(const std::string& folder) {
  const bool real = fs::exists(fs::path(folder) / "meta.json");
  const fs::path path = fs::path(folder) / (real ? "meta.json" : "golden.json");
  std::ifstream file(path);
  if (!file) throw Error(ErrorCode::input, fmt::format("{}: expected a folder with meta.json or golden.json", folder));
  Golden golden;
  try {
    const json from = json::parse(file);
    golden.system = from.at("system_ids").get<std::vector<TokenId>>();
    golden.context = from.at("context_ids").get<std::vector<TokenId>>();
    if (from.contains("postfix_ids")) golden.postfix = from["postfix_ids"].get<std::vector<TokenId>>();
    golden.context_file = from.value("context_file", "");
    golden.query_text = from.value("query_text", std::vector<std::string>{});
    const json& queries = from.at("query_ids");
    if (queries.at(0).is_array()) {
      golden.queries = queries.get<std::vector<std::vector<TokenId>>>();
    } else {
      golden.queries = {queries.get<std::vector<TokenId>>()};
    }
    if (from.contains("greedy_full")) golden.greedy_full = from["greedy_full"].get<std::vector<TokenId>>();
    read_repeat_inputs(from.value("repeat_inputs", json::array()), golden);
    for (const json& one : from.value("cases", json::array())) golden.cases.push_back(read_case(one));
  } catch (const json::exception& error) {
    throw Error(ErrorCode::input, fmt::format("{}: {}", path.string(), error.what()));
  }
  golden.tensors = read_tensors((fs::path(folder) / (real ? "tensors.safetensors" : "golden.safetensors")).string());
  return golden;
}

}  // namespace kvzip::golden
