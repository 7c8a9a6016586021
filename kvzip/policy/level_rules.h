// The rules behind the levels of level.h that are files of their own. Pure functions.
#pragma once

#include "kvzip/policy/level.h"

namespace kvzip {

/// Level::per_layer and Level::pyramid for 0 < ratio < 1: rows per head, in a `keep` of the scores' shape.
Selection select_per_layer(const BestScores& scores, double ratio, Keep keep);
Selection select_pyramid(const BestScores& scores, double ratio, Keep keep);

}  // namespace kvzip
