#include "kvzip/text/train/letter_words.h"

#include <algorithm>
#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {
namespace {

/// Calls visit(part) for parts of at most LetterWords::kLongestWord characters.
template <class Visit>
void cut(std::string_view word, Visit visit) {
  while (word.size() > LetterWords::kLongestWord) {
    size_t bytes = 0;
    for (size_t letters = 0; letters < LetterWords::kLongestWord && bytes < word.size(); ++letters)
      bytes += first_point(word.substr(bytes)).length;
    visit(word.substr(0, bytes));
    word.remove_prefix(bytes);
  }
  if (!word.empty()) visit(word);
}

bool is_long(const WordCounts& counts) {
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i].text.size() > LetterWords::kLongestWord) return true;
  }
  return false;
}

}  // namespace

LetterWords::LetterWords(const WordCounts& counts) {
  if (is_long(counts)) {
    // The parts are counted again: a long run of one letter is many times the same part.
    WordCounts parts;
    for (size_t i = 0; i < counts.size(); ++i)
      cut(counts[i].text, [&](std::string_view part) { parts.add(part, counts[i].count); });
    for (const uint32_t index : parts.by_frequency()) add(parts[index].text, parts[index].count);
  } else {
    for (const uint32_t index : counts.by_frequency()) add(counts[index].text, counts[index].count);
  }
}

void LetterWords::add(std::string_view word, uint64_t count) {
  if (word.empty()) return;
  if (letters_.size() + kLongestWord + 1 > std::numeric_limits<uint32_t>::max())
    throw Error(ErrorCode::memory, "the different words of the corpus have more than 4 billion characters");
  const auto begin = static_cast<uint32_t>(letters_.size());
  while (!word.empty()) {
    const auto [point, length] = first_point(word);
    if (point >= by_point_.size()) by_point_.resize(std::max<size_t>(point + 1, by_point_.size() * 2), kNoLetter);
    Letter& letter = by_point_[point];
    if (letter == kNoLetter) {
      letter = static_cast<Letter>(characters_.size());
      characters_.emplace_back(word.substr(0, length));
      letter_counts_.push_back(0);
    }
    letter_counts_[letter] += count;
    letters_.push_back(letter);
    word.remove_prefix(length);
  }
  const auto end = static_cast<uint32_t>(letters_.size());
  words_.push_back({begin, end - begin, count});
  letters_.push_back(kNoLetter);
  if (ranges_.empty() || ranges_.back().count != count) ranges_.push_back({end, count});
  ranges_.back().end = end;
}

uint64_t LetterWords::count_at(uint32_t place) const {
  return std::upper_bound(ranges_.begin(), ranges_.end(), place,
                          [](uint32_t one, const Range& range) { return one < range.end; })
      ->count;
}

std::string LetterWords::spelled(std::span<const Letter> letters) const {
  std::string text;
  for (const Letter letter : letters) text += characters_[letter];
  return text;
}

}  // namespace kvzip
