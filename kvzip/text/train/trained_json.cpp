#include "kvzip/text/train/trained_json.h"

#include <nlohmann/json.hpp>

#include "kvzip/text/pre_tokenizers.h"
#include "kvzip/text/train/training_rules.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;

Json byte_level(bool add_prefix_space, bool use_regex) {
  return {
      {"type", "ByteLevel"}, {"add_prefix_space", add_prefix_space}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json bpe_pre_tokenizer(const TokenizerTraining& training) {
  if (training.pattern == "gpt2") return byte_level(training.add_prefix_space, true);
  const std::string_view pattern = pre_tokenizer_patterns(bpe_rules(training.pattern)).front();
  const Json split = {
      {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", {split, byte_level(false, false)}}};
}

/// Special tokens have the first ids, in their order.
Json added_tokens(const TokenizerTraining& training) {
  Json added = Json::array();
  for (const std::string& token : training.special_tokens) {
    added.push_back({{"id", added.size()},
                     {"content", token},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  }
  return added;
}

Json vocabulary(const std::vector<std::string>& tokens) {
  Json ids = Json::object();
  auto& members = ids.get_ref<Json::object_t&>();
  members.reserve(tokens.size());
  // Tokens are different from each other; emplace() would look for each among all others.
  for (const std::string& token : tokens) members.emplace_back(token, members.size());
  return ids;
}

std::string tokenizer_json(const TokenizerTraining& training, Json normalizer, Json pre_tokenizer, Json decoder,
                           Json model) {
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(training)},
                     {"normalizer", std::move(normalizer)},
                     {"pre_tokenizer", std::move(pre_tokenizer)},
                     {"post_processor", nullptr},
                     {"decoder", std::move(decoder)},
                     {"model", std::move(model)}};
  return json.dump(2) + "\n";
}

}  // namespace

std::string bpe_json(const TrainedBpe& trained, const TokenizerTraining& training) {
  Json merges = Json::array();
  for (const auto& [left, right] : trained.merges)
    merges.push_back({trained.tokens[static_cast<size_t>(left)], trained.tokens[static_cast<size_t>(right)]});
  const Json model = {{"type", "BPE"},
                      {"dropout", nullptr},
                      {"unk_token", nullptr},
                      {"continuing_subword_prefix", nullptr},
                      {"end_of_word_suffix", nullptr},
                      {"fuse_unk", false},
                      {"byte_fallback", false},
                      {"ignore_merges", false},
                      {"vocab", vocabulary(trained.tokens)},
                      {"merges", std::move(merges)}};
  return tokenizer_json(training, training.nfc ? Json{{"type", "NFC"}} : Json(nullptr), bpe_pre_tokenizer(training),
                        byte_level(true, true), model);
}

}  // namespace kvzip
