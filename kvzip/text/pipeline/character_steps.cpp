// Pre-tokenizers that look at one character after the other: BertPreTokenizer, Digits, FixedLength, Punctuation,
// Whitespace, WhitespaceSplit.
#include <limits>

#include "kvzip/text/pipeline/pre_tokenizer_steps.h"
#include "kvzip/text/pipeline/split_behavior.h"
#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

using IsDelimiter = bool (*)(uint32_t point);

/// Calls visit(part, is_delimiter): each delimiter is a part of its own.
template <class Visit>
void split_at(std::string_view text, IsDelimiter is_delimiter, Visit visit) {
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const CodePoint next = first_point(text.substr(at));
    if (is_delimiter(next.point)) {
      if (begin < at) visit(text.substr(begin, at - begin), false);
      visit(text.substr(at, next.length), true);
      begin = at + next.length;
    }
    at += next.length;
  }
  if (begin < text.size()) visit(text.substr(begin), false);
}

class CharacterStep final : public PreTokenizerStep {
 public:
  CharacterStep(IsDelimiter is_delimiter, SplitBehavior behavior) : is_delimiter_(is_delimiter), behavior_(behavior) {}

  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    DelimiterSplit parts(behavior_, [&](std::string_view part) { visit(piece.part(part)); });
    split_at(piece.text, is_delimiter_, [&](std::string_view part, bool delimiter) { parts.add(part, delimiter); });
    parts.finish();
  }

  Cuts cuts() const override {
    if (behavior_ == SplitBehavior::removed && is_delimiter_ == is_white_space) return Cuts::ends;
    const bool local = behavior_ == SplitBehavior::isolated || behavior_ == SplitBehavior::contiguous;
    return local ? Cuts::harmless : Cuts::unknown;
  }

 private:
  IsDelimiter is_delimiter_;
  SplitBehavior behavior_;
};

class BertStep final : public PreTokenizerStep {
 public:
  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    split_at(piece.text, is_white_space, [&](std::string_view word, bool is_space) {
      if (is_space) return;
      split_at(word, is_punctuation, [&](std::string_view part, bool) { visit(piece.part(part)); });
    });
  }
  Cuts cuts() const override { return Cuts::ends; }
};

/// Runs of word characters and runs of what is neither that nor white space.
class WhitespaceStep final : public PreTokenizerStep {
 public:
  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    const std::string_view text = piece.text;
    Kind run = Kind::space;
    size_t begin = 0;
    for (size_t at = 0; at < text.size();) {
      const CodePoint next = first_point(text.substr(at));
      const Kind kind = kind_of(next.point);
      if (kind != run) {
        if (run != Kind::space) visit(piece.part(text.substr(begin, at - begin)));
        run = kind;
        begin = at;
      }
      at += next.length;
    }
    if (run != Kind::space) visit(piece.part(text.substr(begin)));
  }
  Cuts cuts() const override { return Cuts::ends; }

 private:
  enum class Kind { word, symbol, space };
  static Kind kind_of(uint32_t point) {
    if (is_word(point)) return Kind::word;
    return is_white_space(point) ? Kind::space : Kind::symbol;
  }
};

class FixedLengthStep final : public PreTokenizerStep {
 public:
  explicit FixedLengthStep(size_t length) : length_(length) {}

  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    size_t begin = 0;
    size_t characters = 0;
    for (size_t at = 0; at < piece.text.size();) {
      at += first_point(piece.text.substr(at)).length;
      if (++characters < length_ && at < piece.text.size()) continue;
      visit(piece.part(piece.text.substr(begin, at - begin)));
      begin = at;
      characters = 0;
    }
  }

 private:
  size_t length_;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> make_bert_step(const Component& /*component*/) {
  return std::make_unique<BertStep>();
}

std::unique_ptr<PreTokenizerStep> make_digits_step(const Component& component) {
  const bool each = component.flag("individual_digits");
  return std::make_unique<CharacterStep>(is_numeric, each ? SplitBehavior::isolated : SplitBehavior::contiguous);
}

std::unique_ptr<PreTokenizerStep> make_fixed_length_step(const Component& component) {
  constexpr size_t kUsual = 5;
  const bool given = component.find("length") != nullptr;
  const size_t length = given ? component.count("length", std::numeric_limits<int32_t>::max()) : kUsual;
  if (length == 0) component.fail("length", "at least 1");
  return std::make_unique<FixedLengthStep>(length);
}

std::unique_ptr<PreTokenizerStep> make_punctuation_step(const Component& component) {
  const bool given = component.find("behavior") != nullptr;
  return std::make_unique<CharacterStep>(is_punctuation, given ? split_behavior(component) : SplitBehavior::isolated);
}

std::unique_ptr<PreTokenizerStep> make_whitespace_split_step(const Component& /*component*/) {
  return std::make_unique<CharacterStep>(is_white_space, SplitBehavior::removed);
}

std::unique_ptr<PreTokenizerStep> make_whitespace_step(const Component& /*component*/) {
  return std::make_unique<WhitespaceStep>();
}

}  // namespace kvzip
