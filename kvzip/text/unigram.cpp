#include "kvzip/text/unigram.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/text/unigram_lattice.h"

namespace kvzip {

namespace {

/// How much worse than the worst piece a character is that is no piece.
constexpr double kUnknownPenalty = 10.0;

}  // namespace

Unigram::Unigram(const std::vector<std::pair<std::string, double>>& pieces, const UnigramOptions& options)
    : fallback_(options.unknown), single_precision_(options.single_precision) {
  if (options.unknown < -1 || options.unknown >= static_cast<std::ptrdiff_t>(pieces.size())) {
    throw Error(ErrorCode::input, fmt::format("unknown token: expected an id of one of {} pieces, found {}",
                                              pieces.size(), options.unknown));
  }
  const bool has_kinds = !options.kinds.empty();
  if (has_kinds) bonus_.resize(pieces.size());
  double lowest = has_kinds ? std::numeric_limits<float>::max() : std::numeric_limits<double>::infinity();
  scores_.reserve(pieces.size());
  for (size_t i = 0; i < pieces.size(); ++i) {
    const auto& [spelling, score] = pieces[i];
    const auto id = static_cast<TokenId>(i);
    if (!std::isfinite(score)) {
      throw Error(ErrorCode::input, fmt::format("score of piece {}: expected a number, found {}", i, score));
    }
    scores_.push_back(score);
    const TokenKind kind = has_kinds ? options.kinds[i] : TokenKind::normal;
    if (kind == TokenKind::normal) lowest = std::min(lowest, score);
    if (kind == TokenKind::normal || kind == TokenKind::user_defined) trie_.add(spelling, id);
    if (kind == TokenKind::user_defined) bonus_[i] = true;
    const bool may_be_byte = options.byte_fallback && (!has_kinds || kind == TokenKind::byte);
    if (const auto byte = may_be_byte ? parse_byte_token(spelling) : std::nullopt) fallback_.add(*byte, id);
  }
  unknown_score_ = lowest - kUnknownPenalty;
  if (options.unknown >= 0) unknown_spelling_ = pieces[static_cast<size_t>(options.unknown)].first;
}

/// Collects the best spelling from left to right; unknown pieces in a row wait until the row ends.
class Unigram::Output {
 public:
  Output(const Unigram& model, std::string_view text, std::vector<TokenId>& ids)
      : model_(model), text_(text), ids_(ids) {}

  void add(size_t begin, size_t end, TokenId id) {
    if (id == model_.fallback_.unknown()) {
      if (unknown_begin_ == unknown_end_) unknown_begin_ = begin;
      unknown_end_ = end;
      return;
    }
    finish();
    ids_.push_back(id);
  }

  void finish() {
    if (unknown_begin_ == unknown_end_) return;
    const std::string_view unknown = text_.substr(unknown_begin_, unknown_end_ - unknown_begin_);
    unknown_begin_ = unknown_end_;
    // A text that spells the unknown token out is that token, not its bytes.
    if (!unknown.empty() && unknown == model_.unknown_spelling_) return ids_.push_back(model_.fallback_.unknown());
    model_.fallback_.append(unknown, ids_);
  }

 private:
  const Unigram& model_;
  std::string_view text_;
  std::vector<TokenId>& ids_;
  size_t unknown_begin_ = 0;
  size_t unknown_end_ = 0;
};

/// What UnigramLattice asks of a model.
template <class Score>
class Unigram::Lattice {
 public:
  explicit Lattice(const Unigram& model) : model_(model) {}

  Score unknown_score() const { return static_cast<Score>(model_.unknown_score_); }
  TokenId unknown() const { return model_.fallback_.unknown(); }

  /// visit(bytes, score, id) for each piece that `text` begins with.
  template <class Visit>
  void pieces(std::string_view text, Visit visit) const {
    model_.trie_.prefixes(text, [&](size_t length, TokenId id) {
      const auto i = static_cast<size_t>(id);
      const bool bonus = !model_.bonus_.empty() && model_.bonus_[i];
      // SentencePiece's rule for user-defined pieces: better than any sum of scores below zero.
      const double score = bonus ? 0.1 * (static_cast<double>(length) - 1) : model_.scores_[i];
      visit(length, static_cast<Score>(score), id);
    });
  }

 private:
  const Unigram& model_;
};

void Unigram::encode(std::string_view text, std::vector<TokenId>& ids) const {
  Output output(*this, text, ids);
  const auto run = [&]<class Score>(const Lattice<Score>& lattice) {
    best_spelling<Score>(text, lattice, [&](size_t begin, size_t end, TokenId id) { output.add(begin, end, id); });
  };
  single_precision_ ? run(Lattice<float>(*this)) : run(Lattice<double>(*this));
  output.finish();
}

}  // namespace kvzip
