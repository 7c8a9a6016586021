// Models without files: the sizes of well-known ones with random weights, for measuring what a machine does with them.
// Stateless functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "kvzip/model/model_files.h"

namespace kvzip {

/// Names of the shapes there are, as `kvzip info` names the models.
std::vector<std::string_view> shape_names();

/// The hyperparameters of one of them, for contexts of `context` tokens or, where 0, as many as the model was trained
/// for. Throws Error{usage} for an unknown name, with those there are.
ModelConfig shape_config(std::string_view name, size_t context);

/// The same with random bf16 matrices, ones as norms and no tokenizer. All matrices are stretches of one block of
/// random values in host memory, as large as the largest of them.
ModelFiles random_model_files(std::string_view name, size_t context);

}  // namespace kvzip
