#include "kvzip/text/train/training_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/pipeline/normalizer.h"
#include "kvzip/text/pipeline/pre_tokenizer.h"
#include "kvzip/text/pre_tokenizers.h"
#include "kvzip/text/unicode/normalization.h"

namespace kvzip {
namespace {

using Json = nlohmann::ordered_json;
using Visit = std::function<void(std::string_view)>;

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

/// The words of byte-level BPE as bytes, not spelled in its alphabet.
WordSplitter bpe_splitter(const TokenizerTraining& training) {
  const auto rules = std::make_shared<PreTokenizer>(bpe_rules(training.pattern));
  if (!training.add_prefix_space && !training.nfc)
    return [rules](std::string_view line, const Visit& visit) { rules->split(line, visit); };
  return [rules, nfc_first = training.nfc, add = training.add_prefix_space](std::string_view line, const Visit& visit) {
    std::string text = nfc_first ? nfc(line) : std::string(line);
    if (add && !text.starts_with(' ')) text.insert(0, 1, ' ');
    rules->split(text, visit);
  };
}

/// The sections of a tokenizer.json at work.
class Pipeline {
 public:
  explicit Pipeline(const TokenizerTraining& training)
      : sections_{{"normalizer", normalizer_json(training)}, {"pre_tokenizer", pre_tokenizer_json(training)}},
        normalizer_(make_normalizer(section("normalizer"))),
        steps_(std::make_unique<Component>(section("pre_tokenizer"))) {}

  void split(std::string_view line, const Visit& visit) const {
    NormalizedText text{.text = std::string(line)};
    normalizer_->apply(text);
    TextStore store;
    chain_.split({.text = text.text}, store, [&](Piece piece) { visit(piece.text); });
  }

 private:
  Component section(const char* name) const { return {"training", name, sections_.at(name)}; }

  nlohmann::json sections_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<Component> steps_;
  PreTokenizerChain chain_{steps_.get()};
};

}  // namespace

std::string_view bpe_rules(std::string_view pattern) {
  struct Row {
    std::string_view pattern;
    std::string_view rules;
  };
  static constexpr std::array<Row, 3> kRows = {{{"gpt2", "gpt-2"}, {"llama3", "llama3"}, {"qwen2", "qwen2"}}};
  const auto* const row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) { return r.pattern == pattern; });
  if (row == kRows.end())
    throw Error(ErrorCode::usage, fmt::format("--pattern: expected gpt2, llama3 or qwen2, found {}", quote(pattern)));
  return row->rules;
}

Json normalizer_json(const TokenizerTraining& training) {
  switch (training.model) {
    case TokenizerModel::bpe:
      return training.nfc ? Json{{"type", "NFC"}} : Json(nullptr);
    case TokenizerModel::wordpiece:
      return {{"type", "BertNormalizer"},
              {"clean_text", true},
              {"handle_chinese_chars", true},
              {"strip_accents", nullptr},
              {"lowercase", training.lowercase}};
    case TokenizerModel::unigram:
      break;
  }
  Json steps = Json::array({{{"type", "NFKC"}}});
  if (training.lowercase) steps.push_back({{"type", "Lowercase"}});
  return {{"type", "Sequence"}, {"normalizers", std::move(steps)}};
}

Json pre_tokenizer_json(const TokenizerTraining& training) {
  switch (training.model) {
    case TokenizerModel::bpe:
      return bpe_pre_tokenizer(training);
    case TokenizerModel::wordpiece:
      return {{"type", "BertPreTokenizer"}};
    case TokenizerModel::unigram:
      break;
  }
  const Json metaspace = {
      {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({{{"type", "WhitespaceSplit"}}, metaspace})}};
}

WordSplitter training_splitter(const TokenizerTraining& training) {
  if (training.model == TokenizerModel::bpe) return bpe_splitter(training);
  const auto pipeline = std::make_shared<Pipeline>(training);
  return [pipeline](std::string_view line, const Visit& visit) { pipeline->split(line, visit); };
}

}  // namespace kvzip
