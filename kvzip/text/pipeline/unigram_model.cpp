// Unigram: the most likely pieces.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "kvzip/text/pipeline/models.h"
#include "kvzip/text/pipeline/score_as_read.h"
#include "kvzip/text/unigram.h"

namespace kvzip {

namespace {

using Pieces = std::vector<std::pair<std::string, double>>;

/// The field "vocab": [["▁the", -3.2], ...], by id.
Pieces read_pieces(const Component& component) {
  const nlohmann::json& vocab = component.get("vocab", "an array");
  if (!vocab.is_array()) component.fail("vocab", "an array");
  Pieces pieces;
  pieces.reserve(vocab.size());
  for (const nlohmann::json& entry : vocab) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      throw Error(ErrorCode::input, fmt::format("{}[{}]: expected a token and its score, found {}",
                                                component.place("vocab"), pieces.size(), entry.type_name()));
    }
    pieces.emplace_back(entry[0].get<std::string>(), score_as_read(entry[1].get<double>()));
  }
  return pieces;
}

std::vector<std::string> spellings(const Pieces& pieces) {
  std::vector<std::string> tokens;
  tokens.reserve(pieces.size());
  for (const auto& piece : pieces) tokens.push_back(piece.first);
  return tokens;
}

class UnigramModel final : public PipelineModel {
 public:
  UnigramModel(const Component& component, const Pieces& pieces, const UnigramOptions& options)
      : PipelineModel(component, spellings(pieces)), unigram_(pieces, options) {}

  std::string_view name() const override { return "unigram"; }

  void encode(std::string_view word, EncodeWork& work) const override {
    work.cache.append(word, work.ids, [&] { unigram_.encode(word, work.ids); });
  }

 private:
  Unigram unigram_;
};

}  // namespace

std::unique_ptr<PipelineModel> make_unigram_model(const Component& component) {
  const Pieces pieces = read_pieces(component);
  if (component.find("unk_id") == nullptr) component.fail("unk_id", "the id of a token", ErrorCode::unsupported);
  if (pieces.empty()) component.fail("vocab", "at least one token");
  const UnigramOptions options{.unknown = static_cast<TokenId>(component.count("unk_id", pieces.size() - 1)),
                               .byte_fallback = component.flag("byte_fallback", false)};
  return std::make_unique<UnigramModel>(component, pieces, options);
}

}  // namespace kvzip
