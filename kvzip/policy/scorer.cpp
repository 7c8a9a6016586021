#include "kvzip/policy/scorer.h"

namespace kvzip {

void Scorer::observe(size_t /*layer*/, const LayerQueries& /*queries*/, const LayerRows& /*rows*/) {}

}  // namespace kvzip
