#include "kvzip/cli/head_scores_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"
#include "kvzip/model/safetensors_write.h"

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

std::vector<uint8_t> kept_mask(const Scores& scores, const Keep& keep) {
  std::vector<uint8_t> mask(scores.values.size());
  std::vector<uint32_t> order(scores.len);
  for (size_t i = 0; i < keep.rows.size(); ++i) {
    const auto row = scores.row(i / keep.kv_heads, i % keep.kv_heads);
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return row[a] > row[b]; });
    for (size_t k = 0; k < keep.rows[i]; ++k) mask[i * scores.len + order[k]] = 1;
  }
  return mask;
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
