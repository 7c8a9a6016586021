// Heads of a model that several devices share: what concerns all of them from what each device has, and the other way
// round. With one device everything is its own. Stateless functions; those that put together must be called by all.
#pragma once

#include "kvzip/cache/keep.h"
#include "kvzip/cache/scores.h"
#include "kvzip/model/model.h"

namespace kvzip {

/// The shape of the whole model's cache, of which `own` is the device's part.
CacheShape whole_shape(const Model& model, CacheShape own);

/// Scores of all heads, the same on every device, from those of each device's heads.
Scores whole_scores(const Model& model, Scores own);
/// Those of the device's heads.
Scores own_scores(const Model& model, Scores whole);
Keep own_keep(const Model& model, const Keep& whole);

/// The least of the devices' `bytes`, and their sum.
size_t least_of_devices(const Model& model, size_t bytes);
size_t sum_of_devices(const Model& model, size_t bytes);

}  // namespace kvzip
