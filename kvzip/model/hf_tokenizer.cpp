#include "kvzip/model/hf_tokenizer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/formats/wordpiece_vocabulary.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr JsonLimits kConfigLimits{.bytes = size_t{32} << 20U, .depth = 64};  // lists thousands of tokens

/// Tokens that begin every text of their vocabularies, where tokenizer_config.json doesn't say whether they do.
constexpr std::array<std::string_view, 3> kUsualOpenings = {"<s>", "<bos>", "<|begin_of_text|>"};

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// A token's text: itself, or the "content" of an object.
std::optional<std::string_view> token_text(const JsonFields& fields, std::string_view key) {
  const nlohmann::json* value = fields.find(key);
  if (value == nullptr || !value->is_object()) return fields.find_string(key);
  return fields.find_object(key)->find_string("content");
}

WordPieceOptions wordpiece_options(const fs::path& folder) {
  WordPieceOptions options;
  const fs::path path = folder / "tokenizer_config.json";
  if (!is_there(path)) return options;
  const nlohmann::json document = read_json(path.string(), kConfigLimits);
  const JsonFields fields(path.string(), document);
  options.lowercase = fields.find_bool("do_lower_case").value_or(options.lowercase);
  options.strip_accents = fields.find_bool("strip_accents");
  options.chinese_chars = fields.find_bool("tokenize_chinese_chars").value_or(options.chinese_chars);
  return options;
}

}  // namespace

std::unique_ptr<Tokenizer> load_hf_tokenizer(const std::string& folder) {
  const fs::path pipeline = fs::path(folder) / "tokenizer.json";
  if (is_there(pipeline)) return read_tokenizer_json(pipeline.string());
  const fs::path pieces = fs::path(folder) / "tokenizer.model";
  if (is_there(pieces)) return read_sentencepiece_model(pieces.string());
  const fs::path words = fs::path(folder) / "vocab.txt";
  if (is_there(words)) return read_wordpiece_vocabulary(words.string(), wordpiece_options(folder));
  return nullptr;
}

SpecialRoles read_special_roles(const std::string& folder, const Tokenizer& tokenizer) {
  SpecialRoles roles;
  const fs::path path = fs::path(folder) / "tokenizer_config.json";
  if (!is_there(path)) return roles;
  const nlohmann::json document = read_json(path.string(), kConfigLimits);
  const JsonFields fields(path.string(), document);
  if (const auto end = token_text(fields, "eos_token")) roles.end = tokenizer.find(*end);
  const auto opening = token_text(fields, "bos_token");
  if (!opening) return roles;
  const bool usual = std::ranges::find(kUsualOpenings, *opening) != kUsualOpenings.end();
  if (fields.find_bool("add_bos_token").value_or(usual)) roles.opening = tokenizer.find(*opening);
  return roles;
}

void throw_no_tokenizer(const std::string& path) {
  throw Error(ErrorCode::input, fmt::format("{}: tokenizer: expected tokenizer.json, tokenizer.model or vocab.txt, "
                                            "found none; without one the model only takes token ids",
                                            path));
}

}  // namespace kvzip
