// Split and CharDelimiterSplit: cut at the matches of a pattern.
#include "kvzip/text/pipeline/pre_tokenizer_steps.h"
#include "kvzip/text/pipeline/split_behavior.h"
#include "kvzip/text/pipeline/text_pattern.h"

namespace kvzip {

namespace {

class SplitStep final : public PreTokenizerStep {
 public:
  explicit SplitStep(const Component& component)
      : pattern_(component), behavior_(split_behavior(component)), invert_(component.flag("invert")) {}

  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    DelimiterSplit parts(behavior_, [&](std::string_view part) { visit(piece.part(part)); });
    pattern_.split(piece.text, [&](std::string_view part, bool is_match) { parts.add(part, is_match != invert_); });
    parts.finish();
  }

  Cuts cuts() const override {
    const bool plain = behavior_ == SplitBehavior::isolated && !invert_;
    return plain && pattern_.ends_words_at_cuts() ? Cuts::ends : Cuts::unknown;
  }

 private:
  TextPattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

class DelimiterStep final : public PreTokenizerStep {
 public:
  explicit DelimiterStep(const Component& component) : delimiter_(component.character("delimiter")) {}

  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    for (size_t at = 0; at < piece.text.size();) {
      const size_t end = std::min(piece.text.find(delimiter_, at), piece.text.size());
      visit(piece.part(piece.text.substr(at, end - at)));
      at = end + delimiter_.size();
    }
  }

 private:
  std::string delimiter_;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> make_split_step(const Component& component) {
  return std::make_unique<SplitStep>(component);
}

std::unique_ptr<PreTokenizerStep> make_delimiter_step(const Component& component) {
  return std::make_unique<DelimiterStep>(component);
}

}  // namespace kvzip
