// The kinds of component that a section of tokenizer.json may name: one table a section. Stateless.
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

template <class Made>
struct ComponentKind {
  std::string_view type;
  std::unique_ptr<Made> (*make)(const Component& component);
};

/// What `component` describes. Throws Error{unsupported} that lists the known types where its own is none of them.
template <class Made>
std::unique_ptr<Made> make_component(std::span<const ComponentKind<Made>> kinds, const Component& component) {
  const auto kind = std::ranges::find(kinds, component.type(), &ComponentKind<Made>::type);
  if (kind != kinds.end()) return kind->make(component);
  std::vector<std::string_view> known;
  for (const auto& one : kinds) known.push_back(one.type);
  component.fail("type", fmt::format("one of {}", fmt::join(known, ", ")), ErrorCode::unsupported);
}

}  // namespace kvzip
