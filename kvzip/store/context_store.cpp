#include "kvzip/store/context_store.h"

#include <fmt/format.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/store/context_address.h"

namespace kvzip {
namespace {

constexpr size_t kShortestPrefix = 4;

}  // namespace

std::string ContextStore::resolve(const std::string& text) {
  std::vector<std::string> found;
  const std::vector<StoreEntry> entries = list();
  for (const StoreEntry& entry : entries) {
    if (entry.name == text || (text.size() >= kShortestPrefix && entry.name.starts_with(text)))
      found.push_back(entry.name);
  }
  if (found.empty()) {
    for (const StoreEntry& entry : entries) {
      try {
        if (const auto file = find(entry.name); file && file->description().title == text) found.push_back(entry.name);
      } catch (const Error&) {
        continue;  // a damaged file has no title
      }
    }
  }
  if (found.size() == 1) return found.front();
  throw Error(ErrorCode::input,
              fmt::format("{}: expected the name, its first digits or the title of one context in {}, found {}",
                          quote(text, 60), place_, found.empty() ? "none" : "several"));
}

void ContextStore::expect_name(const std::string& name) {
  if (!is_context_address(name))
    throw Error(ErrorCode::input, fmt::format("{}: expected the 32 digits of a context's name", quote(name, 40)));
}

void ContextStore::fail_missing(const std::string& name) const {
  throw Error(ErrorCode::input, fmt::format("{}: no such context in {}", name, place_));
}

uint64_t ContextStore::room_for(const std::string& name) {
  uint64_t pinned = 0;
  for (const StoreEntry& entry : list()) {
    if (entry.pinned && entry.name != name) pinned += entry.bytes;
  }
  return options_.most_bytes - std::min(pinned, options_.most_bytes);
}

void sort_by_use(std::vector<StoreEntry>& entries) {
  std::sort(entries.begin(), entries.end(), [](const StoreEntry& a, const StoreEntry& b) {
    return a.used != b.used ? a.used > b.used : a.name < b.name;
  });
}

}  // namespace kvzip
