#include "kvzip/text/train/seed_pieces.h"

#include <algorithm>

namespace kvzip {
namespace {

/// A suffix of a word by its place, with its first letters as a number, which settles most comparisons.
struct Suffix {
  static constexpr size_t kLettersInKey = 3;
  uint64_t key = 0;
  uint32_t place = 0;
};

class SuffixArray {
 public:
  SuffixArray(const LetterWords& words, size_t longest) : letters_(words.letters()), longest_(longest) {
    suffixes_.reserve(letters_.size());
    for (uint32_t place = 0; place < letters_.size(); ++place) {
      if (letters_[place] != kNoLetter) suffixes_.push_back({key_of(place), place});
    }
    std::sort(suffixes_.begin(), suffixes_.end(), [this](const Suffix& a, const Suffix& b) { return less(a, b); });
  }

  const std::vector<Suffix>& suffixes() const { return suffixes_; }

  /// Letters that two suffixes begin with alike, at most `longest`.
  uint32_t common(uint32_t a, uint32_t b) const {
    uint32_t length = 0;
    while (length < longest_ && letters_[a + length] != kNoLetter && letters_[a + length] == letters_[b + length])
      ++length;
    return length;
  }
  /// Letters from a place to the end of its word, at most `longest`.
  uint32_t left(uint32_t place) const {
    uint32_t length = 0;
    while (length < longest_ && letters_[place + length] != kNoLetter) ++length;
    return length;
  }

 private:
  uint64_t key_of(uint32_t place) const {
    uint64_t key = 0;
    bool inside = true;
    for (size_t i = 0; i < Suffix::kLettersInKey; ++i) {
      inside = inside && letters_[place + i] != kNoLetter;
      key = (key << kLetterBits) | (inside ? letters_[place + i] : kNoLetter);
    }
    return key;
  }

  bool less(const Suffix& a, const Suffix& b) const {
    if (a.key != b.key) return a.key < b.key;
    const bool ended = (a.key & ((1U << kLetterBits) - 1)) == kNoLetter;
    for (size_t i = Suffix::kLettersInKey; !ended && i < longest_; ++i) {
      const Letter mine = letters_[a.place + i];
      const Letter other = letters_[b.place + i];
      if (mine != other) return mine < other;
      if (mine == kNoLetter) break;
    }
    return a.place < b.place;
  }

  std::span<const Letter> letters_;
  size_t longest_;
  std::vector<Suffix> suffixes_;
};

/// Collects the common beginnings of suffixes that come in order: a stack of those that may still go on, as in Kasai et
/// al. 2001, "Linear-time longest-common-prefix computation in suffix arrays and its applications".
class CommonBeginnings {
 public:
  /// Adds a suffix, of which `whole` letters count, that begins like the one before it in `common` letters.
  void add(uint32_t place, uint32_t common, uint32_t whole, uint64_t count) {
    const uint64_t closed = close_above(common);
    open(place, common, closed);
    open(place, whole, count);
  }

  std::vector<SeedPiece> finish() {
    close_above(0);
    return std::move(found_);
  }

 private:
  /// The longest one that is still open has at most `length` letters.
  void open(uint32_t place, uint32_t length, uint64_t count) {
    if (length == 0) return;
    if (open_.empty() || open_.back().length < length) open_.push_back({place, length, 0});
    open_.back().count += count;
  }

  /// Closes all that is longer than `length`; returns the count of what they had in common.
  uint64_t close_above(uint32_t length) {
    uint64_t count = 0;
    while (!open_.empty() && open_.back().length > length) {
      SeedPiece piece = open_.back();
      open_.pop_back();
      piece.count += count;
      count = piece.count;
      if (piece.length >= 2 && count >= 2) found_.push_back(piece);
    }
    return count;
  }

  std::vector<SeedPiece> open_;
  std::vector<SeedPiece> found_;
};

}  // namespace

std::vector<SeedPiece> seed_pieces(const LetterWords& words, size_t longest, size_t most) {
  CommonBeginnings beginnings;
  {
    const SuffixArray array(words, longest);
    const std::vector<Suffix>& suffixes = array.suffixes();
    for (size_t i = 0; i < suffixes.size(); ++i) {
      const uint32_t place = suffixes[i].place;
      const uint32_t common = i == 0 ? 0 : array.common(suffixes[i - 1].place, place);
      beginnings.add(place, common, array.left(place), words.count_at(place));
    }
  }
  std::vector<SeedPiece> found = beginnings.finish();
  const auto weight = [](const SeedPiece& piece) { return piece.count * piece.length; };
  const auto better = [&](const SeedPiece& a, const SeedPiece& b) {
    return weight(a) != weight(b) ? weight(a) > weight(b)
                                  : a.begin < b.begin || (a.begin == b.begin && a.length < b.length);
  };
  if (found.size() > most) {
    std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(most), found.end(), better);
    found.resize(most);
  }
  std::sort(found.begin(), found.end(), better);
  return found;
}

}  // namespace kvzip
