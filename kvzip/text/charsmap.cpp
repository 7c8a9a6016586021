#include "kvzip/text/charsmap.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

/// SentencePiece looks at no more matches than this, as its maps have no more at one place.
constexpr size_t kMostMatches = 32;

uint32_t little_endian(std::string_view bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[i])} << (8 * i);
  return value;
}

// The parts of a unit of the trie. A unit either leads to children or, with the highest bit set, holds a value.
bool has_value(uint32_t unit) { return ((unit >> 8U) & 1U) != 0; }
uint32_t value(uint32_t unit) { return unit & 0x7FFFFFFFU; }
uint32_t label(uint32_t unit) { return unit & 0x800000FFU; }
size_t offset(uint32_t unit) { return size_t{unit >> 10U} << ((unit & 0x200U) >> 6U); }

}  // namespace

Charsmap::Charsmap(std::string_view blob) {
  constexpr size_t kUnit = sizeof(uint32_t);
  const size_t trie_bytes = blob.size() < kUnit ? 0 : little_endian(blob);
  if (blob.size() < 2 * kUnit || trie_bytes == 0 || trie_bytes % kUnit != 0 || trie_bytes >= blob.size() - kUnit) {
    throw Error(ErrorCode::input,
                fmt::format("precompiled_charsmap: expected a trie of whole units and replacements in "
                            "{} bytes, found a trie of {} bytes",
                            blob.size(), trie_bytes));
  }
  blob.remove_prefix(kUnit);
  units_.reserve(trie_bytes / kUnit);
  for (size_t at = 0; at < trie_bytes; at += kUnit) units_.push_back(little_endian(blob.substr(at, kUnit)));
  replacements_ = blob.substr(trie_bytes);
  find_untouched();
}

template <class Visit>
void Charsmap::prefixes(std::string_view text, Visit visit) const {
  if (units_.empty()) return;
  size_t node = offset(units_[0]);
  for (size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<uint8_t>(text[at]);
    node ^= byte;
    if (node >= units_.size() || label(units_[node]) != byte) return;
    const uint32_t unit = units_[node];
    node ^= offset(unit);
    if (has_value(unit) && (node >= units_.size() || !visit(at + 1, value(units_[node])))) return;
  }
}

std::string_view Charsmap::replacement(uint32_t offset) const {
  const std::string_view rest = std::string_view(replacements_).substr(offset);
  return rest.substr(0, rest.find('\0'));
}

std::optional<Charsmap::Match> Charsmap::longest(std::string_view text) const {
  size_t length = 0;
  size_t matches = 0;
  uint32_t at = 0;
  prefixes(text, [&](size_t match_length, uint32_t match_at) {
    length = match_length;
    at = match_at;
    return ++matches < kMostMatches;
  });
  if (length == 0 || at >= replacements_.size()) return std::nullopt;
  return Match{.length = length, .replacement = replacement(at)};
}

std::optional<Charsmap::Match> Charsmap::shortest(std::string_view text) const {
  std::optional<Match> match;
  prefixes(text, [&](size_t length, uint32_t at) {
    if (at < replacements_.size()) match = Match{.length = length, .replacement = replacement(at)};
    return false;
  });
  return match;
}

void Charsmap::find_untouched() {
  const auto is_plain = [](uint32_t unit, size_t byte) { return label(unit) != byte; };
  for (size_t first = 0; first < stays_.size(); ++first) {
    const size_t node = offset(units_[0]) ^ first;
    if (node >= units_.size() || is_plain(units_[node], first)) {
      stays_[first] = true;
      continue;
    }
    const size_t children = node ^ offset(units_[node]);
    bool stays = !has_value(units_[node]);
    for (size_t second = 0; stays && second < stays_.size(); ++second) {
      const size_t child = children ^ second;
      stays = child >= units_.size() || is_plain(units_[child], second);
    }
    stays_[first] = stays;
  }
}

size_t Charsmap::untouched(std::string_view text) const {
  const auto ascii = [&](size_t i) { return static_cast<uint8_t>(text[i]) < 0x80; };
  size_t at = 0;
  while (at < text.size() && ascii(at)) {
    if (!units_.empty() && !(stays_[static_cast<uint8_t>(text[at])] && (at + 1 == text.size() || ascii(at + 1)))) break;
    ++at;
  }
  return at;
}

std::string Charsmap::normalize(std::string_view text) const {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    size_t length = untouched(text);
    std::string_view replaced = text.substr(0, length);
    if (length == 0) {
      const auto match = longest(text);
      const Utf8Step step = utf8_step(text);
      const bool valid = step.kind == Utf8Step::Kind::character;
      length = match ? match->length : valid ? step.length : 1;
      replaced = match ? match->replacement : valid ? text.substr(0, length) : kReplacementCharacter;
    }
    out += replaced;
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace kvzip
