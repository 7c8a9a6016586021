// A piece of text on its way through the pre-tokenizers of tokenizer.json.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <type_traits>

namespace kvzip {

struct Piece {
  std::string_view text;
  size_t origin = 0;  ///< as NormalizedText::origin

  /// `part` is of `text`.
  Piece part(std::string_view part) const {
    const auto begin = static_cast<size_t>(part.data() - text.data());
    return {.text = part, .origin = origin > begin ? origin - begin : 0};
  }
};

/// A view of a function that takes pieces; the function must outlive it.
class PieceVisitor {
 public:
  template <class Visit>
  requires(!std::is_same_v<std::remove_cvref_t<Visit>, PieceVisitor>)
      // NOLINTNEXTLINE(google-explicit-constructor): stands for any function, like std::function
      PieceVisitor(const Visit& visit)
      : object_(&visit), call_([](const void* object, Piece piece) { (*static_cast<const Visit*>(object))(piece); }) {}

  void operator()(Piece piece) const { call_(object_, piece); }

 private:
  const void* object_;
  void (*call_)(const void*, Piece);
};

/// Keeps text that pre-tokenizers changed until the end of one call of encode().
class TextStore {
 public:
  std::string_view keep(std::string_view text) {
    if (blocks_.empty() || blocks_.back().capacity() - blocks_.back().size() < text.size()) {
      blocks_.emplace_back().reserve(std::max(kBlock, text.size()));
    }
    const size_t begin = blocks_.back().size();
    blocks_.back() += text;
    return std::string_view(blocks_.back()).substr(begin);
  }

  std::string_view keep(std::string&& text) {
    if (text.size() < kBlock / 4) return keep(std::string_view(text));
    blocks_.push_front(std::move(text));
    return blocks_.front();
  }

 private:
  static constexpr size_t kBlock = 1U << 16;
  std::deque<std::string> blocks_;  ///< never grown beyond what was reserved
};

}  // namespace kvzip
