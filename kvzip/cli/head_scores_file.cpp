#include "kvzip/cli/head_scores_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"
#include "kvzip/model/safetensors_write.h"
#include "kvzip/policy/kept_pairs.h"

namespace kvzip::cli {
namespace {

constexpr std::string_view kHeadScore = "head_score";

}  // namespace

void save_head_scores(const std::string& path, const HeadScores& scores) {
  write_safetensors(
      path, std::vector<NamedArray>{
                {std::string(kHeadScore), {scores.layers, scores.kv_heads}, std::span<const float>(scores.values)}});
}

HeadScores load_head_scores(const std::string& path) {
  const SafetensorsFile file = read_safetensors(path);
  const SafetensorsArray& array = file.at(kHeadScore);
  const auto fail = [&](const std::string& what) {
    throw Error(ErrorCode::input, fmt::format("{}: {}: {}", path, kHeadScore, what));
  };
  if (array.dtype != "F32" || array.shape.size() != 2) {
    fail(fmt::format("expected F32 of shape [layers, kv_heads], found {} [{}]", array.dtype,
                     fmt::join(array.shape, ", ")));
  }
  HeadScores scores{array.shape[0], array.shape[1], std::vector<float>(array.data.size() / sizeof(float))};
  if (!array.data.empty()) std::memcpy(scores.values.data(), array.data.data(), array.data.size());
  if (!std::all_of(scores.values.begin(), scores.values.end(), [](float value) { return std::isfinite(value); })) {
    fail("expected finite numbers");
  }
  return scores;
}

void save_scores(const std::string& path, const Scores& scores, const Keep& keep, const std::vector<size_t>& layers) {
  const std::vector<uint64_t> shape = {scores.layers, scores.kv_heads, scores.len};
  const std::vector<uint8_t> mask = kept_mask(scores, keep);
  const std::vector<float> numbers(layers.begin(), layers.end());
  write_safetensors(path, std::vector<NamedArray>{{"score", shape, std::span<const float>(scores.values)},
                                                  {"valid", shape, std::span<const uint8_t>(mask)},
                                                  {"layer", {numbers.size()}, std::span<const float>(numbers)}});
}

}  // namespace kvzip::cli
