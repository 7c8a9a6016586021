#include "kvzip/text/train/bpe_alphabet.h"

#include <algorithm>
#include <array>
#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {
namespace {

/// Inside a word, at its end, at its beginning, or both.
size_t place_of(bool first, bool last) { return (first ? 2U : 0U) + (last ? 1U : 0U); }

/// The code point that a character of the byte alphabet has.
std::array<char32_t, 256> byte_code_points() {
  std::array<char32_t, 256> points{};
  for (size_t byte = 0; byte < points.size(); ++byte)
    points[byte] = first_point(byte_spelling(static_cast<uint8_t>(byte))).point;
  return points;
}

/// Calls visit(code point, is the first, is the last) for each character of `word`.
template <class Visit>
void for_each_character(std::string_view word, bool byte_level, Visit visit) {
  static const std::array<char32_t, 256> kBytePoints = byte_code_points();
  for (size_t at = 0; at < word.size();) {
    const CodePoint character =
        byte_level ? CodePoint{kBytePoints[static_cast<uint8_t>(word[at])], 1} : first_point(word.substr(at));
    visit(character.point, at == 0, at + character.length == word.size());
    at += character.length;
  }
}

/// The element of `table` for a character, `initial` where there was none.
template <class Value>
Value& entry_of(std::vector<Value>& table, char32_t point, Value initial) {
  if (point >= table.size()) table.resize(std::max<size_t>(point + 1, table.size() * 2), initial);
  return table[point];
}

/// How a character is spelled at its place in a word.
std::string spelled(char32_t point, bool first, bool last, const BpeTrainingOptions& options) {
  std::string spelling = first ? "" : options.continuing_subword_prefix;
  append_utf8(point, spelling);
  if (last) spelling += options.end_of_word_suffix;
  return spelling;
}

std::string spelled(char32_t point) {
  std::string spelling;
  append_utf8(point, spelling);
  return spelling;
}

/// The characters to start from, in the order of their code points.
std::vector<char32_t> kept_characters(const WordCounts& words, const BpeTrainingOptions& options) {
  std::vector<uint64_t> counts;
  for (size_t i = 0; i < words.size(); ++i) {
    const WordCounts::Word word = words[i];
    for_each_character(word.text, options.byte_level,
                       [&](char32_t point, bool, bool) { entry_of<uint64_t>(counts, point, 0) += word.count; });
  }
  for (const char32_t point : options.initial_alphabet)
    entry_of<uint64_t>(counts, point, 0) = std::numeric_limits<uint64_t>::max();
  std::vector<char32_t> kept;
  for (char32_t point = 0; point < counts.size(); ++point) {
    if (counts[point] > 0) kept.push_back(point);
  }
  if (options.limit_alphabet && kept.size() > *options.limit_alphabet) {
    std::stable_sort(kept.begin(), kept.end(), [&](char32_t a, char32_t b) { return counts[a] > counts[b]; });
    kept.resize(*options.limit_alphabet);
    std::sort(kept.begin(), kept.end());
  }
  return kept;
}

}  // namespace

TokenId GrowingVocabulary::add(const std::string& token) {
  const auto [at, added] = ids_.try_emplace(token, static_cast<TokenId>(tokens_.size()));
  if (added) tokens_.push_back(token);
  return at->second;
}

std::optional<TokenId> GrowingVocabulary::find(const std::string& token) const {
  const auto at = ids_.find(token);
  return at == ids_.end() ? std::nullopt : std::optional(at->second);
}

std::u32string byte_level_alphabet() {
  const auto points = byte_code_points();
  return {points.begin(), points.end()};
}

void add_alphabet(const WordCounts& words, const BpeTrainingOptions& options, GrowingVocabulary& vocabulary) {
  for (const std::string& special : options.special_tokens) vocabulary.add(special);
  for (const char32_t point : kept_characters(words, options)) vocabulary.add(spelled(point));
  if (options.continuing_subword_prefix.empty() && options.end_of_word_suffix.empty()) return;
  // The package adds these in the order in which it happens to come by the words; ours is always the same.
  std::vector<uint8_t> places;  // one bit per kind of place
  for (size_t i = 0; i < words.size(); ++i) {
    for_each_character(words[i].text, options.byte_level, [&](char32_t point, bool first, bool last) {
      entry_of<uint8_t>(places, point, 0) |= static_cast<uint8_t>(1U << place_of(first, last));
    });
  }
  for (char32_t point = 0; point < places.size(); ++point) {
    if (places[point] == 0 || !vocabulary.find(spelled(point))) continue;
    for (const bool first : {true, false}) {
      for (const bool last : {false, true}) {
        const bool seen = ((places[point] >> place_of(first, last)) & 1U) != 0;
        if (seen) vocabulary.add(spelled(point, first, last, options));
      }
    }
  }
}

CountedSlots lay_out_words(const WordCounts& words, const BpeTrainingOptions& options,
                           const GrowingVocabulary& vocabulary) {
  constexpr TokenId kNotAsked = -2;
  std::array<std::vector<TokenId>, 4> ids;  // by place and character
  const auto id_of = [&](char32_t point, bool first, bool last) {
    TokenId& id = entry_of(ids[place_of(first, last)], point, kNotAsked);
    if (id == kNotAsked) {
      const bool kept = vocabulary.find(spelled(point)).has_value();
      id = kept ? vocabulary.find(spelled(point, first, last, options)).value_or(-1) : -1;
    }
    return id;
  };
  CountedSlots counted;
  std::vector<TokenId> tokens;
  for (const uint32_t index : words.by_frequency()) {
    const WordCounts::Word word = words[index];
    tokens.clear();
    for_each_character(word.text, options.byte_level, [&](char32_t point, bool first, bool last) {
      const TokenId id = id_of(point, first, last);
      if (id >= 0) tokens.push_back(id);
    });
    if (tokens.size() < 2) {
      counted.single_tokens += tokens.size() * word.count;
      continue;
    }
    if (counted.slots.size() + tokens.size() + 1 >= TokenSlots::kMost)
      throw Error(ErrorCode::memory, "the different words of the corpus have more than 4 billion characters");
    for (const TokenId id : tokens) counted.slots.append(id);
    counted.slots.end_word();
    const auto end = static_cast<uint32_t>(counted.slots.size());
    if (counted.ranges.empty() || counted.ranges.back().count != word.count) {
      counted.ranges.push_back({end, word.count});
    } else {
      counted.ranges.back().end = end;
    }
  }
  return counted;
}

}  // namespace kvzip
