#include "kvzip/text/sentencepiece_bpe.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <unordered_map>

#include "kvzip/base/error.h"
#include "kvzip/text/replace.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

/// Order-preserving: a higher score gives a lower rank, equal scores the same one. `score` is finite.
uint32_t rank_of(float score) {
  constexpr uint32_t kSign = 0x80000000U;
  const auto bits = std::bit_cast<uint32_t>(score == 0.0F ? 0.0F : score);  // -0 ranks as 0
  return (bits & kSign) != 0 ? bits : ~(bits | kSign);
}

}  // namespace

/// Remembers of which two parts each unused token was last made, or would have been.
class SentencePieceBpe::Unmerging {
 public:
  void record(TokenId id, size_t left_bytes) { left_bytes_[id] = left_bytes; }
  bool empty() const { return left_bytes_.empty(); }

  /// Appends what is left of the token `id`, spelled `spelling`, once unused tokens are taken apart.
  void append(const SentencePieceBpe& bpe, TokenId id, std::string_view spelling, std::vector<TokenId>& ids,
              int depth = 0) const {
    const auto left = left_bytes_.find(id);
    if (id >= 0 && (!bpe.is_unused(id) || depth > kDeepest)) return ids.push_back(id);
    if (id < 0 || left == left_bytes_.end()) return bpe.tables_.fallback.append(spelling, ids);
    for (const std::string_view part : {spelling.substr(0, left->second), spelling.substr(left->second)}) {
      append(bpe, bpe.token_of(part).merged, part, ids, depth + 1);
    }
  }

 private:
  static constexpr int kDeepest = 100;  // SentencePiece's own limit
  std::unordered_map<TokenId, size_t> left_bytes_;
};

SentencePieceBpe::SentencePieceBpe(const SentencePieceBpeTables& tables, std::vector<float> scores, bool split_unused)
    : tables_(tables), scores_(std::move(scores)), split_unused_(split_unused) {
  if (scores_.size() != tables_.tokens.size()) {
    throw Error(ErrorCode::input, fmt::format("scores: expected one for each of {} tokens, found {}",
                                              tables_.tokens.size(), scores_.size()));
  }
  const auto bad = std::ranges::find_if_not(scores_, [](float score) { return std::isfinite(score); });
  if (bad != scores_.end()) {
    throw Error(ErrorCode::input, fmt::format("scores[{}]: expected a number, found {}", bad - scores_.begin(), *bad));
  }
  std::string spaced;
  for (size_t i = 0; i < tables_.tokens.size(); ++i) {
    // Special tokens are matched before words are; only what merging makes can join words.
    const auto id = static_cast<TokenId>(i);
    if (kind(id) != TokenKind::normal && !is_unused(id)) continue;
    has_unused_ = has_unused_ || is_unused(id);
    longest_ = std::max(longest_, tables_.tokens[i].size());
    spaced.clear();
    append_replaced(tables_.tokens[i], kSpelledSpace, " ", spaced);
    for (size_t at = spaced.find(' ', 1); at < spaced.size(); at = spaced.find(' ', at + 1)) {
      joins_space_[static_cast<uint8_t>(spaced[at - 1])] = true;
    }
  }
}

// A text may be cut into words wherever no token reaches across, without any change to what merges: before a space
// behind a byte that no token joins to a space.
size_t SentencePieceBpe::word_end(std::string_view text, size_t begin) const {
  for (size_t end = text.find(' ', begin + 1); end < text.size(); end = text.find(' ', end + 1)) {
    const bool behind_space = text.substr(0, end).ends_with(kSpelledSpace);
    if (!joins_space_[static_cast<uint8_t>(behind_space ? ' ' : text[end - 1])]) return end;
  }
  return text.size();
}

void SentencePieceBpe::encode(std::string_view text, bool space_before, EncodeWork& work) const {
  const size_t ids = work.ids.size();
  bool met_unused = false;
  encode_words(text, space_before, met_unused, work);
  if (!met_unused) return;
  // What an unused token falls apart into may depend on the words before it. Rare, so all is done again as one word.
  work.ids.resize(ids);
  work.cache.clear();
  Unmerging unmerging;
  encode_word(text, space_before, unmerging, work);
}

void SentencePieceBpe::encode_words(std::string_view text, bool space_before, bool& met_unused,
                                    EncodeWork& work) const {
  for (size_t at = 0; at < text.size() && !met_unused;) {
    const std::string_view word = text.substr(at, word_end(text, at) - at);
    const auto encode_one = [&](bool spaced) {
      Unmerging unmerging;
      encode_word(word, spaced, unmerging, work);
      met_unused = !unmerging.empty();
    };
    if (space_before) {
      encode_one(true);
    } else {
      work.cache.append(word, work.ids, [&] { encode_one(false); });
    }
    space_before = false;
    at += word.size();
  }
}

Merge SentencePieceBpe::token_of(std::string_view spelling) const {
  if (spelling.size() > longest_) return {};
  const auto id = tables_.index.find(spelling);
  if (!id || (kind(*id) != TokenKind::normal && !is_unused(*id))) return {};
  return {.rank = rank_of(scores_[static_cast<size_t>(*id)]), .merged = *id};
}

void SentencePieceBpe::encode_word(std::string_view word, bool space_before, Unmerging& unmerging,
                                   EncodeWork& work) const {
  std::string& spelled = work.scratch;
  spelled.assign(space_before ? kSpelledSpace : "");
  append_replaced(word, " ", kSpelledSpace, spelled);
  const std::string_view view = spelled;
  SymbolList& symbols = work.symbols;
  symbols.start(view.size());
  for (size_t at = 0; at < view.size();) {
    const size_t length = utf8_step(view.substr(at)).length;
    symbols.append(at, token_of(view.substr(at, length)).merged);
    at += length;
  }
  const auto end_of = [&](const Symbol& symbol) { return symbol.next == Symbol::kNone ? view.size() : symbol.next; };
  symbols.merge_all([&](size_t left, size_t right) {
    const Merge merge = token_of(view.substr(left, end_of(symbols[right]) - left));
    if (merge && is_unused(merge.merged)) unmerging.record(merge.merged, right - left);
    return merge;
  });
  symbols.for_each([&](const Symbol& symbol, size_t at) {
    if (symbol.id >= 0 && !is_unused(symbol.id)) return work.ids.push_back(symbol.id);
    unmerging.append(*this, symbol.id, view.substr(at, end_of(symbol) - at), work.ids);
  });
}

}  // namespace kvzip
