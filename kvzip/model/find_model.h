// Model names as people type them. Stateless.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace kvzip {

/// An abbreviated name.
struct KnownModel {
  std::string_view name;
  std::string_view id;         ///< its full name on the Hugging Face hub
  std::string_view file{};     ///< the GGUF file that scripts/setup installs, if it does
  std::string_view package{};  ///< the folder of site-packages that the file comes in
};

/// All of them, whether they are there or not.
std::span<const KnownModel> known_models();

/// The path of a model's GGUF file or folder: `name` itself where it is one, else that of an abbreviated name or of
/// "ORG/NAME[@REVISION]" in the local cache of the Hugging Face hub. The environment variable KVZIP_MODELS may name a
/// folder to look in first. Nothing is downloaded. Throws Error{input} that says where it looked and which one command
/// brings the model.
std::string find_model(std::string_view name);

}  // namespace kvzip
