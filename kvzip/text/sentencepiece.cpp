#include "kvzip/text/sentencepiece.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

constexpr std::string_view kSpace = "\u2581";

/// Appends `text` with each `from` replaced.
void append_replaced(std::string_view text, std::string_view from, std::string_view to, std::string& out) {
  for (size_t at = 0; at < text.size();) {
    const size_t hit = std::min(text.find(from, at), text.size());
    out += text.substr(at, hit - at);
    if (hit < text.size()) out += to;
    at = hit + from.size();
  }
}

/// Order-preserving: a higher score gives a lower rank, equal scores the same one. `score` is finite.
uint32_t rank_of(float score) {
  constexpr uint32_t kSign = 0x80000000U;
  const auto bits = std::bit_cast<uint32_t>(score == 0.0F ? 0.0F : score);  // -0 ranks as 0
  return (bits & kSign) != 0 ? bits : ~(bits | kSign);
}

}  // namespace

SentencePiece::SentencePiece(Vocabulary vocabulary)
    : VocabularyTokenizer(vocabulary, vocabulary.add_space_prefix), scores_(std::move(vocabulary.scores)) {
  if (scores_.size() != tokens().size()) {
    throw Error(ErrorCode::input, fmt::format("tokenizer.ggml.scores: expected one for each of {} tokens, found {}",
                                              tokens().size(), scores_.size()));
  }
  const auto bad = std::ranges::find_if_not(scores_, [](float score) { return std::isfinite(score); });
  if (bad != scores_.end()) {
    throw Error(ErrorCode::input,
                fmt::format("tokenizer.ggml.scores[{}]: expected a number, found {}", bad - scores_.begin(), *bad));
  }
  byte_tokens_.fill(-1);
  add_pieces();
  // A U+2581 in the text is the same as a space; as tokens may join spaces, never cut behind one.
  joins_space_[static_cast<uint8_t>(kSpace.back())] = true;
}

void SentencePiece::add_pieces() {
  for (size_t id = 0; id < tokens().size(); ++id) {
    const std::string& token = tokens()[id];
    const TokenKind kind_of_token = kind(static_cast<TokenId>(id));
    if (kind_of_token == TokenKind::byte) {
      add_byte_token(id);
      continue;
    }
    add_piece([&](std::string& out) {
      if (kind_of_token == TokenKind::control) return;
      if (kind_of_token == TokenKind::unknown) {
        out += "\uFFFD";
        return;
      }
      const size_t begin = out.size();
      append_replaced(token, kSpace, " ", out);
      // Special tokens are matched before words are; only what merging makes can join words.
      if (kind_of_token != TokenKind::normal) return;
      longest_ = std::max(longest_, token.size());
      for (size_t at = out.find(' ', begin + 1); at < out.size(); at = out.find(' ', at + 1)) {
        joins_space_[static_cast<uint8_t>(out[at - 1])] = true;
      }
    });
  }
}

void SentencePiece::add_byte_token(size_t id) {
  const std::string& token = tokens()[id];
  uint8_t byte = 0;
  const bool framed = token.size() == 6 && token.starts_with("<0x") && token.ends_with('>');
  if (!framed || std::from_chars(token.data() + 3, token.data() + 5, byte, 16).ptr != token.data() + 5) {
    throw Error(ErrorCode::input, fmt::format("tokenizer.ggml.tokens[{}]: expected a byte token like <0x0A>, found {}",
                                              id, quote(token)));
  }
  if (byte_tokens_[byte] < 0) byte_tokens_[byte] = static_cast<TokenId>(id);
  add_piece([&](std::string& out) { out += static_cast<char>(byte); });
}

// A text may be cut into words wherever no token reaches across, without any change to what merges: before a space
// behind a byte that no token joins to a space.
size_t SentencePiece::word_end(std::string_view text, size_t begin) const {
  size_t end = begin + 1;
  while (end < text.size() && (text[end] != ' ' || joins_space_[static_cast<uint8_t>(text[end - 1])])) ++end;
  return end;
}

void SentencePiece::encode_plain(std::string_view text, bool space_before, Work& work) const {
  for (size_t at = 0; at < text.size();) {
    const std::string_view word = text.substr(at, word_end(text, at) - at);
    if (space_before) {
      encode_word(word, true, work);
    } else {
      work.cache.append(word, work.ids, [&] { encode_word(word, false, work); });
    }
    space_before = false;
    at += word.size();
  }
}

Merge SentencePiece::token_of(std::string_view spelling) const {
  if (spelling.size() > longest_) return {};
  const auto id = find(spelling);
  if (!id || kind(*id) != TokenKind::normal) return {};
  return {.rank = rank_of(scores_[static_cast<size_t>(*id)]), .merged = *id};
}

void SentencePiece::encode_word(std::string_view word, bool space_before, Work& work) const {
  std::string& spelled = work.scratch;
  spelled.assign(space_before ? kSpace : "");
  append_replaced(word, " ", kSpace, spelled);
  const std::string_view view = spelled;
  SymbolList& symbols = work.symbols;
  symbols.start(view.size());
  for (size_t at = 0; at < view.size();) {
    const size_t length = utf8_step(view.substr(at)).length;
    symbols.append(at, token_of(view.substr(at, length)).merged);
    at += length;
  }
  const auto end_of = [&](const Symbol& symbol) { return symbol.next == Symbol::kNone ? view.size() : symbol.next; };
  symbols.merge_all(
      [&](size_t left, size_t right) { return token_of(view.substr(left, end_of(symbols[right]) - left)); });
  symbols.for_each([&](const Symbol& symbol, size_t at) {
    if (symbol.id >= 0) return work.ids.push_back(symbol.id);
    append_fallback(view.substr(at, end_of(symbol) - at), work.ids);
  });
}

void SentencePiece::append_fallback(std::string_view character, std::vector<TokenId>& ids) const {
  const auto token_of_byte = [&](char byte) { return byte_tokens_[static_cast<uint8_t>(byte)]; };
  if (std::ranges::all_of(character, [&](char byte) { return token_of_byte(byte) >= 0; })) {
    std::ranges::transform(character, std::back_inserter(ids), token_of_byte);
  } else if (unknown() >= 0) {
    ids.push_back(unknown());
  }
}

}  // namespace kvzip
