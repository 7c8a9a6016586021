// Levels: the rules that turn scores and a keep ratio into rows per head. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kvzip/cache/keep.h"
#include "kvzip/cache/scores.h"

namespace kvzip {

/// The numbers are those of context files (store/context_description.h), where 3 means something else.
enum class Level : uint8_t {
  pair,           ///< one threshold over the pairs of all layers and heads
  pair_uniform,   ///< the same number of pairs from every head
  head,           ///< whole heads are kept or dropped
  per_layer = 4,  ///< the same number of pairs from every layer, shared by its heads (per_layer.cpp)
  pyramid = 5,    ///< fewer pairs the later the layer, the same number from each of its heads (pyramid.cpp)
};

struct LevelName {
  Level level;
  std::string_view name;  ///< on the command line
  std::string_view rule;  ///< for people
};
/// All levels; the first is the default.
std::span<const LevelName> levels();
/// By its name on the command line. Throws Error{usage} listing the names.
Level level_by_name(std::string_view name);
std::string_view level_name(Level level);

/// One score per (layer, head), `[layers, kv_heads]`: the maximum over the positions of one or several documents.
struct HeadScores {
  size_t layers = 0;
  size_t kv_heads = 0;
  std::vector<float> values;
};
HeadScores head_scores(const Scores& scores);
/// Raises `scores` to those of one more document. Throws Error{input} where the shapes differ.
void merge_head_scores(HeadScores& scores, const HeadScores& more);

struct Selection {
  Keep keep;
  float threshold = 0;  ///< pairs (or heads) with a higher score are kept; 0 where the level has none
};

/// Selects by `level` so that about `ratio` (0 < ratio <= 1, the fraction KEPT) of the pairs remains; ratio >= 1 keeps
/// all. `heads` is used for Level::head only. Throws Error{usage} for a ratio outside (0, 1], Error{input} for head
/// scores of another shape.
Selection select(const Scores& scores, Level level, double ratio, const HeadScores& heads);
/// The same with the document's own head scores.
Selection select(const Scores& scores, Level level, double ratio);
/// The same by the best scores alone, for any level but `head`. Of a head it may keep more rows than these are of; the
/// threshold is below all floats where all of these are kept.
Selection select(const BestScores& scores, Level level, double ratio);

}  // namespace kvzip
