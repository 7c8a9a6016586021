#include "kvzip/text/pipeline/added_tokens.h"

#include <fmt/format.h>

#include <array>
#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "kvzip/base/quote.h"
#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

AddedToken read_token(const Component& component) {
  AddedToken token{.content = component.text("content"),
                   .single_word = component.flag("single_word", false),
                   .lstrip = component.flag("lstrip", false),
                   .rstrip = component.flag("rstrip", false),
                   .normalized = component.flag("normalized", true),
                   .special = component.flag("special", false),
                   .spelling = {}};
  token.spelling = token.content;
  return token;
}

}  // namespace

std::vector<AddedToken> read_added_tokens(const Component& component, const PipelineModel& model,
                                          const Normalizer* normalizer) {
  std::vector<AddedToken> tokens;
  if (component.find("added_tokens") == nullptr) return tokens;
  auto next = static_cast<TokenId>(model.tokens().size());
  std::unordered_set<std::string> contents;
  std::array<std::unordered_set<std::string>, 2> spelled;  // by whether they are looked for in normalized text
  for (const Component& one : component.list("added_tokens")) {
    AddedToken token = read_token(one);
    if (token.content.empty()) continue;  // the package ignores it, too
    const auto known = model.find(token.content);
    token.id = known ? *known : next++;
    constexpr size_t kMost = std::numeric_limits<TokenId>::max();
    if (one.count("id", kMost) != static_cast<size_t>(token.id)) one.fail("id", fmt::to_string(token.id));
    if (token.normalized && normalizer != nullptr) {
      NormalizedText text{.text = token.content};
      normalizer->apply(text);
      token.spelling = std::move(text.text);
    }
    if (token.spelling.empty() || token.spelling.size() > SpecialTokens::kLongest) {
      one.fail("content", fmt::format("1 to {} bytes after normalization", SpecialTokens::kLongest),
               ErrorCode::unsupported);
    }
    if (!contents.insert(token.content).second || !spelled[token.normalized ? 1 : 0].insert(token.spelling).second) {
      one.fail("content", "a token that is not in the list already");
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

AddedTokenFinder::AddedTokenFinder(std::span<const AddedToken> tokens, bool normalized) : tokens_(tokens) {
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].normalized == normalized) finder_.add(tokens[i].spelling, static_cast<TokenId>(i));
  }
}

bool AddedTokenFinder::is_single(std::string_view text, const SpecialTokens::Found& found) {
  const std::string_view before = text.substr(0, found.begin);
  const std::string_view behind = text.substr(found.end);
  if (!before.empty() && is_word(first_point(before.substr(last_point_begin(before))).point)) return false;
  return behind.empty() || !is_word(first_point(behind).point);
}

size_t AddedTokenFinder::left_end(std::string_view text, size_t begin, size_t least) {
  if (begin < least) return least;
  while (begin > least) {
    const size_t last = last_point_begin(text.substr(0, begin));
    if (!is_white_space(first_point(text.substr(last)).point)) break;
    begin = last;
  }
  return begin;
}

size_t AddedTokenFinder::right_end(std::string_view text, size_t end) {
  while (end < text.size()) {
    const CodePoint next = first_point(text.substr(end));
    if (!is_white_space(next.point)) break;
    end += next.length;
  }
  return end;
}

}  // namespace kvzip
