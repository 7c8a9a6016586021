#include "kvzip/text/pipeline/post_processor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <utility>

namespace kvzip {

namespace {

bool is_id(const nlohmann::json& value, size_t vocab_size) {
  return value.is_number_unsigned() && value.get<uint64_t>() < vocab_size;
}

/// ["[SEP]", 102]
TokenId special(const Component& component, std::string_view key, size_t vocab_size) {
  const nlohmann::json& value = component.get(key, "a token and its id");
  if (!value.is_array() || value.size() != 2 || !value[0].is_string() || !is_id(value[1], vocab_size)) {
    component.fail(key, fmt::format("a token and its id below {}", vocab_size));
  }
  return value[1].get<TokenId>();
}

/// The ids of one of a template's special tokens.
std::vector<TokenId> special_ids(const Component& specials, const std::string& name, size_t vocab_size) {
  const Component token = specials.object(name);
  const nlohmann::json& ids = token.get("ids", "an array of ids");
  const bool good = ids.is_array() && std::ranges::all_of(ids, [&](const auto& id) { return is_id(id, vocab_size); });
  if (!good) token.fail("ids", fmt::format("an array of ids below {}", vocab_size));
  return ids.get<std::vector<TokenId>>();
}

}  // namespace

PostProcessor::PostProcessor() : single_{kFirst}, pair_{kFirst, kSecond} {}

PostProcessor::PostProcessor(const Component& component, size_t vocab_size) : PostProcessor() {
  add(component, vocab_size);
}

void PostProcessor::add(const Component& component, size_t vocab_size) {
  using Set = void (PostProcessor::*)(const Component&, size_t);
  static constexpr auto kPostProcessorKinds = std::to_array<std::pair<std::string_view, Set>>({
      {"BertProcessing", &PostProcessor::set_bert},
      {"RobertaProcessing", &PostProcessor::set_roberta},
      {"TemplateProcessing", &PostProcessor::set_templates},
  });
  const std::string type = component.type();
  if (type == "ByteLevel") return;  // it only changes where tokens say they stand in the text
  if (type == "Sequence") {
    for (const Component& one : component.list("processors")) add(one, vocab_size);
    return;
  }
  const auto kind = std::ranges::find(kPostProcessorKinds, type, [](const auto& row) { return row.first; });
  if (kind == kPostProcessorKinds.end()) {
    component.fail("type", "one of BertProcessing, ByteLevel, RobertaProcessing, Sequence, TemplateProcessing",
                   ErrorCode::unsupported);
  }
  if (adds_) component.fail("type", "ByteLevel, as tokens were added before", ErrorCode::unsupported);
  adds_ = true;
  (this->*kind->second)(component, vocab_size);
}

void PostProcessor::set_bert(const Component& component, size_t vocab_size) {
  const TokenId cls = special(component, "cls", vocab_size);
  const TokenId sep = special(component, "sep", vocab_size);
  single_ = {cls, kFirst, sep};
  pair_ = {cls, kFirst, sep, kSecond, sep};
}

void PostProcessor::set_roberta(const Component& component, size_t vocab_size) {
  const TokenId cls = special(component, "cls", vocab_size);
  const TokenId sep = special(component, "sep", vocab_size);
  single_ = {cls, kFirst, sep};
  pair_ = {cls, kFirst, sep, sep, kSecond, sep};
}

void PostProcessor::set_templates(const Component& component, size_t vocab_size) {
  const Component specials = component.object("special_tokens");
  const auto read = [&](std::string_view key) {
    std::vector<TokenId> pieces;
    for (const Component& piece : component.list(key)) {
      if (const auto sequence = piece.find_object("Sequence")) {
        const std::string name = sequence->text("id");
        if (name != "A" && name != "B") sequence->fail("id", "A or B");
        pieces.push_back(name == "A" ? kFirst : kSecond);
      } else {
        const auto ids = special_ids(specials, piece.object("SpecialToken").text("id"), vocab_size);
        pieces.insert(pieces.end(), ids.begin(), ids.end());
      }
    }
    return pieces;
  };
  single_ = read("single");
  pair_ = read("pair");
  if (std::ranges::find(single_, kSecond) != single_.end()) component.fail("single", "a template of A alone");
}

std::vector<TokenId> PostProcessor::apply(std::span<const TokenId> first,
                                          std::optional<std::span<const TokenId>> second) const {
  std::vector<TokenId> ids;
  for (const TokenId id : second ? pair_ : single_) {
    if (id == kFirst) {
      ids.insert(ids.end(), first.begin(), first.end());
    } else if (id == kSecond) {
      ids.insert(ids.end(), second->begin(), second->end());
    } else {
      ids.push_back(id);
    }
  }
  return ids;
}

}  // namespace kvzip
