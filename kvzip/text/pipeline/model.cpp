#include "kvzip/text/pipeline/model.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "kvzip/base/quote.h"
#include "kvzip/text/pipeline/component_table.h"
#include "kvzip/text/pipeline/models.h"

namespace kvzip {

namespace {

constexpr auto kModelKinds = std::to_array<ComponentKind<PipelineModel>>({
    {"BPE", make_bpe_model},
    {"Unigram", make_unigram_model},
    {"WordLevel", make_word_level_model},
    {"WordPiece", make_word_piece_model},
});

}  // namespace

PipelineModel::PipelineModel(const Component& component, std::vector<std::string> tokens)
    : tokens_(std::move(tokens)), index_(tokens_) {
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty() || index_.find(tokens_[id]) == static_cast<TokenId>(id)) continue;
    throw Error(ErrorCode::input, fmt::format("{}: expected each token once, found {} twice", component.place("vocab"),
                                              quote(tokens_[id])));
  }
}

std::unique_ptr<PipelineModel> make_pipeline_model(const Component& component) {
  return make_component<PipelineModel>(kModelKinds, component);
}

std::unique_ptr<PipelineModel> make_byte_model(const Component& component) {
  return component.type() == "BPE" ? make_byte_bpe_model(component) : nullptr;
}

std::vector<std::string> read_vocabulary(const Component& component) {
  const nlohmann::json& vocab = component.get("vocab", "an object");
  if (!vocab.is_object()) component.fail("vocab", "an object");
  std::vector<std::string> tokens(vocab.size());
  std::vector<bool> taken(vocab.size());
  for (const auto& [token, id] : vocab.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() >= vocab.size() || taken[id.get<size_t>()]) {
      throw Error(ErrorCode::input, fmt::format("{}[{}]: expected ids from 0 to {}, each once, found {}",
                                                component.place("vocab"), quote(token), vocab.size() - 1, id.dump()));
    }
    tokens[id.get<size_t>()] = token;
    taken[id.get<size_t>()] = true;
  }
  return tokens;
}

}  // namespace kvzip
