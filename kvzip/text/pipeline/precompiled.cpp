// Precompiled: SentencePiece's normalization map, which the package applies to grapheme clusters.
#include "kvzip/text/charsmap.h"
#include "kvzip/text/lossy_utf8.h"
#include "kvzip/text/pipeline/normalizer_steps.h"
#include "kvzip/text/unicode/segmentation.h"
#include "kvzip/text/unicode/utf8_append.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

/// The bytes that base64 `text` stands for. Throws Error where it is none.
std::string base64_field(const Component& component, std::string_view key) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = component.text(key);
  const size_t end = std::min(text.find('='), text.size());
  std::string bytes;
  uint32_t bits = 0;
  size_t count = 0;
  for (const char letter : std::string_view(text).substr(0, end)) {
    const size_t value = kAlphabet.find(letter);
    if (value == std::string_view::npos) component.fail(key, "base64");
    bits = (bits << 6U) | static_cast<uint32_t>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>((bits >> count) & 0xFFU);
  }
  if (text.size() % 4 != 0 || text.size() - end > 2) component.fail(key, "base64");
  return bytes;
}

class Precompiled final : public Normalizer {
 public:
  explicit Precompiled(const Component& component) : map_(base64_field(component, "precompiled_charsmap")) {}

  void apply(NormalizedText& text) const override {
    std::string out;
    out.reserve(text.text.size());
    std::string_view rest = text.text;
    while (!rest.empty()) {
      expect_text_length(out.size());
      const size_t untouched = map_.untouched(rest);
      out += rest.substr(0, untouched);
      rest.remove_prefix(untouched);
      const size_t touched = end_of_touched(rest);
      characters(rest.substr(0, touched), [&](std::string_view cluster) { append(cluster, out); });
      rest.remove_prefix(touched);
    }
    // What a hostile map puts in need not be UTF-8.
    if (valid_utf8_length(out) < out.size()) out = lossy_utf8(out);
    text = {.text = std::move(out), .origin = text.origin > 0 ? size_t{1} : 0};
  }

 private:
  /// A place between two ASCII characters that are no line's end is between two clusters.
  static size_t end_of_touched(std::string_view text) {
    const auto plain = [&](size_t at) { return text[at] >= ' ' && text[at] <= '~'; };
    size_t end = std::min<size_t>(text.size(), 1);
    while (end < text.size() && !(plain(end - 1) && plain(end))) ++end;
    return end;
  }

  /// A cluster of less than six bytes that begins with something on the map is replaced as a whole.
  void append(std::string_view cluster, std::string& out) const {
    constexpr size_t kShort = 6;
    if (const auto match = cluster.size() < kShort ? map_.shortest(cluster) : std::nullopt) {
      out += match->replacement;
      return;
    }
    for (size_t at = 0; at < cluster.size();) {
      const std::string_view character = cluster.substr(at, first_point(cluster.substr(at)).length);
      const auto match = map_.shortest(character);
      out += match ? match->replacement : character;
      at += character.size();
    }
  }

  Charsmap map_;
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled(const Component& component) {
  return std::make_unique<Precompiled>(component);
}

}  // namespace kvzip
