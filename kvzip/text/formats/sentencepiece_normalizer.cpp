#include "kvzip/text/formats/sentencepiece_normalizer.h"

#include <algorithm>
#include <limits>

#include "kvzip/text/replace.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

SentencePieceNormalizer::SentencePieceNormalizer(const SentencePieceNormalization& normalization,
                                                 bool whitespace_as_suffix, const SpecialTokens& untouchable)
    : options_(normalization),
      suffix_(whitespace_as_suffix),
      charsmap_(normalization.charsmap.empty() ? Charsmap() : Charsmap(normalization.charsmap)),
      untouchable_(untouchable) {
  options_.charsmap.clear();
}

/// One normalization, from left to right.
class SentencePieceNormalizer::Run {
 public:
  Run(const SentencePieceNormalizer& normalizer, std::string_view text, bool at_start)
      : normalizer_(normalizer),
        text_(text),
        adds_space_(normalizer.options_.add_dummy_prefix && (at_start || normalizer.suffix_)),
        space_(normalizer.options_.escape_whitespaces ? kSpelledSpace : " "),
        after_space_(normalizer.options_.remove_extra_whitespaces) {}

  std::string result() {
    const bool trims = normalizer_.options_.remove_extra_whitespaces;
    if (trims) skip_spaces();
    if (at_ == text_.size()) return {};
    out_.reserve(text_.size() - at_ + (text_.size() - at_) / 2);
    if (adds_space_ && !normalizer_.suffix_) out_ += space_;
    while (at_ < text_.size()) {
      if (const size_t run = plain_run()) {
        append_characters(text_.substr(at_, run));
        at_ += run;
        continue;
      }
      const Charsmap::Match step = next();
      append(step.replacement);
      at_ += step.length;
    }
    while (trims && out_.ends_with(space_)) out_.resize(out_.size() - space_.size());
    if (adds_space_ && normalizer_.suffix_) out_ += space_;
    return std::move(out_);
  }

 private:
  void skip_spaces() {
    while (at_ < text_.size()) {
      const Charsmap::Match step = next();
      if (step.replacement != " ") return;
      at_ += step.length;
    }
  }

  /// Where the next untouchable piece begins, at or behind the current byte.
  size_t untouchable_begin() {
    if (!searched_ || (untouchable_ && untouchable_->begin < at_)) {
      untouchable_ = normalizer_.untouchable_.find(text_, at_);
      searched_ = true;
    }
    return untouchable_ ? untouchable_->begin : std::numeric_limits<size_t>::max();
  }

  /// Bytes from here that are ASCII characters of their own.
  size_t plain_run() {
    const std::string_view rest = text_.substr(at_);
    return std::min(normalizer_.charsmap_.untouched(rest), untouchable_begin() - at_);
  }

  /// The next bytes, and what they become.
  Charsmap::Match next() {
    const std::string_view rest = text_.substr(at_);
    if (untouchable_begin() == at_) {
      const size_t length = untouchable_->end - at_;
      return {.length = length, .replacement = rest.substr(0, length)};
    }
    if (const auto match = normalizer_.charsmap_.longest(rest)) return *match;
    const Utf8Step step = utf8_step(rest);
    if (step.kind != Utf8Step::Kind::character) return {.length = 1, .replacement = kReplacementCharacter};
    return {.length = step.length, .replacement = rest.substr(0, step.length)};
  }

  void append(std::string_view replacement) {
    while (after_space_ && replacement.starts_with(' ')) replacement.remove_prefix(1);
    if (!replacement.empty()) {
      append_replaced(replacement, " ", space_, out_);
      after_space_ = replacement.ends_with(' ');
    }
    if (!normalizer_.options_.remove_extra_whitespaces) after_space_ = false;
  }

  /// The same for each byte of `characters` by itself.
  void append_characters(std::string_view characters) {
    while (!characters.empty()) {
      const size_t word = std::min(characters.find(' '), characters.size());
      append(characters.substr(0, word));
      characters.remove_prefix(word);
      for (; characters.starts_with(' '); characters.remove_prefix(1)) append(" ");
    }
  }

  const SentencePieceNormalizer& normalizer_;
  std::string_view text_;
  bool adds_space_;
  std::string_view space_;
  bool after_space_;
  size_t at_ = 0;
  std::optional<SpecialTokens::Found> untouchable_;
  bool searched_ = false;
  std::string out_;
};

std::string SentencePieceNormalizer::normalize(std::string_view text, bool at_start) const {
  return Run(*this, text, at_start).result();
}

}  // namespace kvzip
