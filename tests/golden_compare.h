// Compares the engine with golden data: used by the program golden_check and by the tests.
#pragma once

#include <string>
#include <vector>

#include "kvzip/model/model.h"
#include "tests/golden_data.h"

namespace kvzip::golden {

/// One figure, with the bound it must meet.
struct Figure {
  std::string what;
  double value = 0;
  double bound = 0;
  bool at_least = false;  ///< value >= bound is asked for, else value <= bound
  bool judged = true;     ///< false: for information

  bool passes() const { return !judged || (at_least ? value >= bound : value <= bound); }
};

/// How close the engine must come; the values stated in tests/golden/README.md.
struct Closeness {
  double score = 1e-4;          ///< largest difference of a score (exact mode)
  double overlap = 1.0;         ///< least share of kept pairs in common, ties at the threshold aside
  double overlap_ratio = 0;     ///< the ratio at which `overlap` is asked for; 0 = all
  double logits = 1e-3;         ///< largest difference of a logit (tiny models)
  double probability = 1e-3;    ///< largest difference of an answer token's probability (exact mode)
  double answer_margin = 0;     ///< answers must be equal where the two best tokens are further apart
  double mean_probability = 1;  ///< mean difference of the answers' token probabilities over a case
};
/// Exact f32 computation against the f32 reference.
Closeness exact_closeness();
/// Quantised weights and the fast path.
Closeness fast_closeness();
/// The fast path of a device whose activations are bf16.
Closeness bf16_closeness();

/// How a comparison computes.
struct Mode {
  bool exact = false;          ///< everything in f32
  DType kv_type = DType::f16;  ///< of the context
};

/// All comparisons that the golden folder has data for. `document` is its text, empty for tiny models. Quantised
/// contexts are held to the closeness of the fast path, whatever the weights are.
std::vector<Figure> compare(const Model& model, const Golden& golden, const std::string& document, const Mode& mode);

/// Compares encode() and decode() with `[{text, ids, decoded}]` in a JSON file.
std::vector<Figure> compare_tokenizer(const Tokenizer& tokenizer, const std::string& cases_path);

}  // namespace kvzip::golden
