#include "kvzip/text/pipeline/pre_tokenizer.h"

#include <algorithm>
#include <array>

#include "kvzip/text/pipeline/component_table.h"
#include "kvzip/text/pipeline/pre_tokenizer_steps.h"

namespace kvzip {

namespace {

constexpr auto kPreTokenizerKinds = std::to_array<ComponentKind<PreTokenizerStep>>({
    {"BertPreTokenizer", make_bert_step},
    {"ByteLevel", make_byte_level_step},
    {"CharDelimiterSplit", make_delimiter_step},
    {"Digits", make_digits_step},
    {"FixedLength", make_fixed_length_step},
    {"Metaspace", make_metaspace_step},
    {"Punctuation", make_punctuation_step},
    {"Split", make_split_step},
    {"UnicodeScripts", make_unicode_scripts_step},
    {"Whitespace", make_whitespace_step},
    {"WhitespaceSplit", make_whitespace_split_step},
});

}  // namespace

PreTokenizerChain::PreTokenizerChain(const Component* component) {
  if (component != nullptr) add(*component);
}

void PreTokenizerChain::add(const Component& component) {
  if (component.type() != "Sequence") {
    steps_.push_back(make_component<PreTokenizerStep>(kPreTokenizerKinds, component));
    return;
  }
  for (const Component& one : component.list("pretokenizers")) add(one);
}

bool PreTokenizerChain::spells_bytes() const {
  const auto spells = [](const auto& step) { return step->of_bytes() != nullptr; };
  return !steps_.empty() && std::ranges::find_if(steps_, spells) == steps_.end() - 1;
}

TextCuts PreTokenizerChain::cuts() const {
  using Cuts = PreTokenizerStep::Cuts;
  const auto any = [&](Cuts cuts) {
    return std::ranges::any_of(steps_, [cuts](const auto& step) { return step->cuts() == cuts; });
  };
  if (any(Cuts::unknown)) return TextCuts::none;
  if (any(Cuts::ends_at_spaces)) return TextCuts::at_spaces;
  return any(Cuts::ends) ? TextCuts::at_words : TextCuts::none;
}

void PreTokenizerChain::split_from(size_t step, Piece piece, TextStore& store, PieceVisitor visit) const {
  if (piece.text.empty()) return;
  if (step == steps_.size()) return visit(piece);
  const auto next = [&](Piece part) { split_from(step + 1, part, store, visit); };
  steps_[step]->split(piece, store, next);
}

}  // namespace kvzip
