// Normalizers that work on the text as a whole: NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip.
#include "kvzip/text/pipeline/normalizer_steps.h"
#include "kvzip/text/pipeline/text_pattern.h"
#include "kvzip/text/unicode/normalization.h"
#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

class NormalForm final : public Normalizer {
 public:
  using Form = std::string (*)(std::string_view text);
  explicit NormalForm(Form form) : form_(form) {}

  void apply(NormalizedText& text) const override { text.transform(form_); }

 private:
  Form form_;
};

class Prepend final : public Normalizer {
 public:
  explicit Prepend(std::string prefix) : prefix_(std::move(prefix)) {}

  void apply(NormalizedText& text) const override {
    if (text.text.empty()) return;
    text.text.insert(0, prefix_);
    if (text.origin > 0) text.origin += prefix_.size();
  }

 private:
  std::string prefix_;
};

class Replace final : public Normalizer {
 public:
  explicit Replace(const Component& component) : pattern_(component), content_(component.text("content")) {}

  void apply(NormalizedText& text) const override {
    std::string out;
    out.reserve(text.text.size());
    size_t at = 0;
    size_t origin = 0;
    pattern_.split(text.text, [&](std::string_view part, bool is_match) {
      const size_t before = out.size();
      expect_text_length(before);
      out += is_match ? std::string_view(content_) : part;
      // A replacement is where the last of what it replaces was.
      if (is_match) {
        at += part.size();
        if (at <= text.origin && text.origin > 0) origin = out.size();
      } else {
        if (at < text.origin) origin = before + std::min(part.size(), text.origin - at);
        at += part.size();
      }
    });
    text = {.text = std::move(out), .origin = origin};
  }

 private:
  TextPattern pattern_;
  std::string content_;
};

class Strip final : public Normalizer {
 public:
  Strip(bool left, bool right) : left_(left), right_(right) {}

  void apply(NormalizedText& text) const override {
    const std::string_view all = text.text;
    size_t begin = 0;
    size_t end = all.size();
    while (left_ && begin < end) {
      const CodePoint first = first_point(all.substr(begin));
      if (!is_white_space(first.point)) break;
      begin += first.length;
    }
    while (right_ && end > begin) {
      const size_t last = last_point_begin(all.substr(0, end));
      if (!is_white_space(first_point(all.substr(last)).point)) break;
      end = last;
    }
    text.text.resize(end);
    text.text.erase(0, begin);
    text.origin -= std::min(text.origin, begin);
  }

 private:
  bool left_;
  bool right_;
};

}  // namespace

std::unique_ptr<Normalizer> make_nfc(const Component& /*component*/) { return std::make_unique<NormalForm>(nfc); }
std::unique_ptr<Normalizer> make_nfd(const Component& /*component*/) { return std::make_unique<NormalForm>(nfd); }
std::unique_ptr<Normalizer> make_nfkc(const Component& /*component*/) { return std::make_unique<NormalForm>(nfkc); }
std::unique_ptr<Normalizer> make_nfkd(const Component& /*component*/) { return std::make_unique<NormalForm>(nfkd); }

std::unique_ptr<Normalizer> make_prepend(const Component& component) {
  return std::make_unique<Prepend>(component.text("prepend"));
}

std::unique_ptr<Normalizer> make_replace(const Component& component) { return std::make_unique<Replace>(component); }

std::unique_ptr<Normalizer> make_strip(const Component& component) {
  return std::make_unique<Strip>(component.flag("strip_left"), component.flag("strip_right"));
}

}  // namespace kvzip
