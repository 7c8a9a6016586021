// Normalizers that change one character after the other: BertNormalizer, ByteLevel, Lowercase, Nmt, StripAccents.
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/pipeline/normalizer_steps.h"
#include "kvzip/text/unicode/normalization.h"
#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

/// Each character becomes what change(code point, out) appends for it.
template <class Change>
void change_characters(NormalizedText& text, Change change) {
  std::string out;
  out.reserve(text.text.size());
  size_t origin = 0;
  for (size_t at = 0; at < text.text.size();) {
    const CodePoint next = first_point(std::string_view(text.text).substr(at));
    change(next.point, out);
    if (at < text.origin) origin = out.size();
    at += next.length;
  }
  text = {.text = std::move(out), .origin = origin};
}

void append_unless(bool leave_out, uint32_t point, std::string& out) {
  if (!leave_out) append_utf8(point, out);
}

class BertNormalizer final : public Normalizer {
 public:
  explicit BertNormalizer(const Component& component)
      : clean_text_(component.flag("clean_text")),
        spaced_chinese_(component.flag("handle_chinese_chars")),
        lowercase_(component.flag("lowercase")),
        strip_accents_(component.flag("strip_accents", lowercase_)) {}

  void apply(NormalizedText& text) const override {
    if (clean_text_) change_characters(text, clean);
    if (spaced_chinese_) change_characters(text, space_chinese);
    if (strip_accents_) {
      text.transform(nfd);
      change_characters(text,
                        [](uint32_t point, std::string& out) { append_unless(is_nonspacing_mark(point), point, out); });
    }
    if (lowercase_) change_characters(text, append_lower_case);
  }

 private:
  static void clean(uint32_t point, std::string& out) {
    if (is_white_space(point) && (point == '\t' || point == '\n' || point == '\r' || !is_control(point))) {
      out += ' ';
    } else {
      append_unless(point == 0 || point == 0xFFFD || is_control(point), point, out);
    }
  }
  static void space_chinese(uint32_t point, std::string& out) {
    const bool spaced = is_chinese(point);
    if (spaced) out += ' ';
    append_utf8(point, out);
    if (spaced) out += ' ';
  }

  bool clean_text_;
  bool spaced_chinese_;
  bool lowercase_;
  bool strip_accents_;
};

class Lowercase final : public Normalizer {
 public:
  void apply(NormalizedText& text) const override { change_characters(text, append_lower_case); }
};

class StripAccents final : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    change_characters(text,
                      [](uint32_t point, std::string& out) { append_unless(is_combining_mark(point), point, out); });
  }
};

/// The cleaning of the Nmt rules of SentencePiece.
class Nmt final : public Normalizer {
 public:
  void apply(NormalizedText& text) const override {
    change_characters(text, [](uint32_t point, std::string& out) {
      if (is_space(point)) {
        out += ' ';
      } else {
        append_unless(is_left_out(point), point, out);
      }
    });
  }

 private:
  static bool is_left_out(uint32_t point) {
    return (point >= 0x1 && point <= 0x8) || point == 0xB || (point >= 0xE && point <= 0x1F) || point == 0x7F ||
           point == 0x8F || point == 0x9F;
  }
  static bool is_space(uint32_t point) {
    return point == 0x9 || point == 0xA || point == 0xC || point == 0xD || point == 0x1680 ||
           (point >= 0x200B && point <= 0x200F) || point == 0x2028 || point == 0x2029 || point == 0x2581 ||
           point == 0xFEFF || point == 0xFFFD;
  }
};

class ByteLevelNormalizer final : public Normalizer {
 public:
  void apply(NormalizedText& text) const override { text.transform(spell_bytes); }
};

}  // namespace

std::unique_ptr<Normalizer> make_bert_normalizer(const Component& component) {
  return std::make_unique<BertNormalizer>(component);
}

std::unique_ptr<Normalizer> make_byte_level_normalizer(const Component& /*component*/) {
  return std::make_unique<ByteLevelNormalizer>();
}

std::unique_ptr<Normalizer> make_lowercase(const Component& /*component*/) { return std::make_unique<Lowercase>(); }
std::unique_ptr<Normalizer> make_nmt(const Component& /*component*/) { return std::make_unique<Nmt>(); }
std::unique_ptr<Normalizer> make_strip_accents(const Component& /*component*/) {
  return std::make_unique<StripAccents>();
}

}  // namespace kvzip
