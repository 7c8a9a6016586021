// The search for a Unigram model's best spelling (Viterbi's algorithm) in bounded memory: whenever the window is full,
// the part that all spellings still in the race have in common is given out. Stateless.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>
#include <vector>

#include "kvzip/text/tokenizer.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

/// The best spelling of text[0..end) for ends inside a window of the text.
template <class Score>
class SpellingWindow {
 public:
  struct Node {
    static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();
    Score score = 0;
    uint32_t start = kNone;  ///< of the last piece, in the window; kNone: nothing ends here
    TokenId id = -1;
  };

  explicit SpellingWindow(size_t bytes) : nodes_(std::min(bytes, kBytes) + 1) {}

  Score score(size_t end) const { return nodes_[end].score; }
  bool full(size_t at) const { return at >= kBytes && at >= next_slide_; }

  /// Offers a piece from `start` to `end` with the sum of scores up to its end. Of equal sums the first one stays.
  void offer(size_t start, size_t end, Score sum, TokenId id) {
    if (end >= nodes_.size()) nodes_.resize(std::max(end + 1, 2 * nodes_.size()));
    frontier_ = std::max(frontier_, end);
    Node& node = nodes_[end];
    if (node.start == Node::kNone || sum > node.score) {
      node = {.score = sum, .start = static_cast<uint32_t>(start), .id = id};
    }
  }

  /// Subtracts the sum at `at` from all that go on from there.
  void rebase(size_t at) {
    const Score offset = nodes_[at].score;
    for (size_t i = at; i <= frontier_; ++i) {
      if (i == at || nodes_[i].start != Node::kNone) nodes_[i].score -= offset;
    }
  }

  /// Gives out the best spelling up to `end`: visit(begin, end, id) in order.
  template <class Visit>
  void emit(size_t end, Visit visit) {
    path_.clear();
    for (; end > 0; end = nodes_[end].start) path_.push_back(static_cast<uint32_t>(end));
    for (size_t i = path_.size(); i > 0; --i) {
      const Node& node = nodes_[path_[i - 1]];
      visit(size_t{node.start}, size_t{path_[i - 1]}, node.id);
    }
  }

  /// Gives out what can no longer change, given that pieces from now on start at `at` or later, and moves the window
  /// behind it. Returns by how many bytes.
  template <class Visit>
  size_t slide(size_t at, Visit visit) {
    const size_t common = common_end(at);
    emit(common, visit);
    if (common > 0) {
      const auto moved = static_cast<uint32_t>(common);
      for (size_t i = common; i <= frontier_; ++i) {
        Node node = nodes_[i];
        if (i > common && node.start != Node::kNone) node.start -= moved;
        nodes_[i - common] = node;
      }
      std::fill(nodes_.begin() + static_cast<std::ptrdiff_t>(frontier_ - common + 1), nodes_.end(), Node{});
      nodes_[0].start = Node::kNone;
      frontier_ -= common;
    }
    // Where the spellings differ from the very start, wait until twice as many bytes have come.
    next_slide_ = 2 * (at - common);
    return common;
  }

 private:
  static constexpr size_t kBytes = size_t{1} << 16U;

  /// The largest end that the best spellings of all ends from `at` on pass through.
  size_t common_end(size_t at) {
    std::vector<uint32_t>& ends = path_;
    ends.clear();
    for (size_t i = at; i <= frontier_; ++i) {
      if (i == at || nodes_[i].start != Node::kNone) ends.push_back(static_cast<uint32_t>(i));
    }
    std::make_heap(ends.begin(), ends.end());
    while (ends.size() > 1) {
      std::pop_heap(ends.begin(), ends.end());
      const uint32_t largest = ends.back();
      ends.pop_back();
      if (largest == ends.front()) continue;
      ends.push_back(nodes_[largest].start);
      std::push_heap(ends.begin(), ends.end());
    }
    return ends.front();
  }

  std::vector<Node> nodes_;
  std::vector<uint32_t> path_;
  size_t frontier_ = 0;  ///< the last end that a piece was offered for
  size_t next_slide_ = 0;
};

/// Calls visit(begin, end, id) for the pieces of the best spelling of `text`, in order. A Model has unknown_score(),
/// unknown() and pieces(text, visit(bytes, score, id)).
template <class Score, class Model, class Visit>
void best_spelling(std::string_view text, const Model& model, Visit visit) {
  // SentencePiece's rule for its 32 bit sums.
  constexpr Score kLargestSum = std::is_same_v<Score, float> ? Score(100000) : std::numeric_limits<Score>::infinity();
  SpellingWindow<Score> window(text.size());
  size_t base = 0;  // where the window begins in the text
  const auto visit_text = [&](size_t begin, size_t end, TokenId id) { visit(base + begin, base + end, id); };
  size_t at = 0;
  while (base + at < text.size()) {
    if (window.full(at)) {
      const size_t moved = window.slide(at, visit_text);
      base += moved;
      at -= moved;
    }
    if (window.score(at) > kLargestSum || window.score(at) < -kLargestSum) window.rebase(at);
    const Score sum = window.score(at);
    const std::string_view rest = text.substr(base + at);
    const size_t character = std::min<size_t>(utf8_length_by_first_byte(rest[0]), rest.size());
    bool has_character = false;
    model.pieces(rest, [&](size_t length, Score score, TokenId id) {
      window.offer(at, at + length, score + sum, id);
      has_character = has_character || length == character;
    });
    if (!has_character) window.offer(at, at + character, model.unknown_score() + sum, model.unknown());
    at += character;
  }
  window.emit(at, visit_text);
}

}  // namespace kvzip
