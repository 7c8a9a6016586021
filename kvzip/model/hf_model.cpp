// A Hugging Face folder as a model.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/model/hf_config.h"
#include "kvzip/model/hf_tokenizer.h"
#include "kvzip/model/hf_weights.h"
#include "kvzip/model/model_files.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

/// The folder's name; in the cache of Hugging Face (models--ORG--NAME/snapshots/REVISION) that of the model.
std::string name_of(const std::string& folder) {
  fs::path path = fs::absolute(folder).lexically_normal();
  if (!path.has_filename()) path = path.parent_path();
  constexpr std::string_view kCached = "models--";
  const std::string repository = path.parent_path().parent_path().filename().string();
  if (path.parent_path().filename() != "snapshots" || !repository.starts_with(kCached)) return path.filename().string();
  std::string name = repository.substr(kCached.size());
  for (size_t at = name.find("--"); at != std::string::npos; at = name.find("--", at)) name.replace(at, 2, "/");
  return name;
}

/// Appends eos_token_id: none, a number or a list of them.
void read_stop_tokens(const JsonFields& fields, size_t vocab, std::vector<TokenId>& stops) {
  constexpr std::string_view kKey = "eos_token_id";
  const nlohmann::json* value = fields.find(kKey);
  if (value == nullptr) return;
  const nlohmann::json ids = value->is_array() ? *value : nlohmann::json::array({*value});
  for (const nlohmann::json& id : ids) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= vocab)
      fields.fail(kKey, fmt::format("token ids below {}", vocab));
    const auto stop = id.get<TokenId>();
    if (std::ranges::find(stops, stop) == stops.end()) stops.push_back(stop);
  }
}

/// generation_config.json says with which tokens an answer ends; without it config.json does.
std::vector<TokenId> stop_tokens_of(const std::string& folder, const JsonFields& config, size_t vocab) {
  std::vector<TokenId> stops;
  std::error_code ignored;
  const std::string path = (fs::path(folder) / "generation_config.json").string();
  if (fs::exists(path, ignored)) {
    const nlohmann::json document = read_json(path);
    read_stop_tokens(JsonFields(path, document), vocab, stops);
  }
  if (!stops.empty()) return stops;
  read_stop_tokens(config, vocab, stops);
  if (const auto text = config.find_object("text_config"); stops.empty() && text) read_stop_tokens(*text, vocab, stops);
  return stops;
}

std::string config_path(const std::string& folder) {
  std::string path = (fs::path(folder) / "config.json").string();
  std::error_code ignored;
  if (fs::exists(path, ignored)) return path;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() != ".gguf") continue;
    throw Error(ErrorCode::input,
                fmt::format("{}: expected config.json, found none; there is {}, which can be named itself", folder,
                            entry.path().filename().string()));
  }
  throw Error(ErrorCode::input, fmt::format("{}: expected a model's folder with config.json, found none", folder));
}

}  // namespace

ModelFiles hf_model_files(const std::string& folder) {
  const std::string path = config_path(folder);
  const nlohmann::json document = read_json(path);
  HfConfig config = read_hf_config(path, document);
  ModelFiles files;
  files.config = std::move(config.model);
  files.config.name = name_of(folder);
  files.weights = std::make_unique<HfWeights>(folder, *config.family);
  files.stop_tokens = stop_tokens_of(folder, JsonFields(path, document), files.config.vocab);
  files.tokenizer = load_hf_tokenizer(folder);
  if (files.tokenizer == nullptr) return files;
  const SpecialRoles roles = read_special_roles(folder, *files.tokenizer);
  const auto has_row = [&](std::optional<TokenId> id) { return id && static_cast<size_t>(*id) < files.config.vocab; };
  if (has_row(roles.opening)) files.opening_token = roles.opening;
  if (has_row(roles.end) && std::ranges::find(files.stop_tokens, *roles.end) == files.stop_tokens.end())
    files.stop_tokens.push_back(*roles.end);
  return files;
}

}  // namespace kvzip
