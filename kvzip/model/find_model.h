// Model names as people type them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

/// The path of a model: `name` itself where it is a file, or an abbreviated name (smollm2). The environment variable
/// KVZIP_MODELS may name a folder to look in first. Throws Error{input} that says where it looked and which one command
/// brings the model.
std::string find_model(std::string_view name);

/// The abbreviated names, whether their files are there or not.
std::vector<std::string_view> known_models();

}  // namespace kvzip
