#include "kvzip/text/train/trained_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/text/train/training_rules.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;

/// Special tokens have the first ids, in their order.
Json added_tokens(const TokenizerTraining& training) {
  Json added = Json::array();
  for (const std::string& token : all_special_tokens(training)) {
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

std::string tokenizer_json(const TokenizerTraining& training, Json decoder, Json model) {
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added_tokens(training)},
                     {"normalizer", normalizer_json(training)},
                     {"pre_tokenizer", pre_tokenizer_json(training)},
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
  const Json decoder = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  return tokenizer_json(training, decoder,
                        {{"type", "BPE"},
                         {"dropout", nullptr},
                         {"unk_token", nullptr},
                         {"continuing_subword_prefix", nullptr},
                         {"end_of_word_suffix", nullptr},
                         {"fuse_unk", false},
                         {"byte_fallback", false},
                         {"ignore_merges", false},
                         {"vocab", vocabulary(trained.tokens)},
                         {"merges", std::move(merges)}});
}

std::string wordpiece_json(const std::vector<std::string>& tokens, const TokenizerTraining& training) {
  return tokenizer_json(training, {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}},
                        {{"type", "WordPiece"},
                         {"unk_token", unknown_token(training.model)},
                         {"continuing_subword_prefix", "##"},
                         {"max_input_chars_per_word", kLongestWordPieceWord},
                         {"vocab", vocabulary(tokens)}});
}

std::string unigram_json(const TrainedUnigram& trained, const TokenizerTraining& training) {
  const std::vector<std::string> specials = all_special_tokens(training);
  const auto unknown = std::find(specials.begin(), specials.end(), unknown_token(training.model));
  Json pieces = Json::array();
  for (const std::string& special : specials) pieces.push_back({special, 0.0});
  for (const auto& [piece, score] : trained.pieces) pieces.push_back({piece, score});
  return tokenizer_json(
      training, {{"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}},
      {{"type", "Unigram"},
       {"unk_id", unknown - specials.begin()},
       {"vocab", std::move(pieces)},
       {"byte_fallback", false}});
}

}  // namespace kvzip
