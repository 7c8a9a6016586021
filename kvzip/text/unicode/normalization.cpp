#include "kvzip/text/unicode/normalization.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uniset.h>

#include <algorithm>
#include <memory>

#include "kvzip/base/check.h"

namespace kvzip {

namespace {

using Instance = const icu::Normalizer2* (*)(UErrorCode&);

const icu::UnicodeSet& known_points() {
  static const std::unique_ptr<icu::UnicodeSet> kSet = [] {
    UErrorCode status = U_ZERO_ERROR;
    auto set = std::make_unique<icu::UnicodeSet>(UNICODE_STRING_SIMPLE("[:Age=9.0:]"), status);
    check(U_SUCCESS(status) != 0, "ICU knows the characters of Unicode 9");
    set->freeze();
    return set;
  }();
  return *kSet;
}

icu::FilteredNormalizer2 make_form(Instance instance) {
  UErrorCode status = U_ZERO_ERROR;
  const icu::Normalizer2* const form = instance(status);
  check(U_SUCCESS(status) != 0, "ICU has Unicode's normal forms");
  return {*form, known_points()};
}

bool is_ascii(char byte) { return static_cast<unsigned char>(byte) < 0x80; }

/// ASCII is changed by nothing but marks behind it, so ICU is only given what lies between two ASCII characters, and
/// one before: that is quicker, and bounds its memory.
std::string normalize(const icu::Normalizer2& form, std::string_view text) {
  std::string out;
  out.reserve(text.size());
  size_t at = 0;
  while (at < text.size()) {
    const auto rest = text.substr(at);
    const auto wide = static_cast<size_t>(std::ranges::find_if_not(rest, is_ascii) - rest.begin());
    const size_t plain = wide == rest.size() ? wide : wide - std::min<size_t>(wide, 1);
    out += rest.substr(0, plain);
    at += plain;
    size_t end = std::min(at + (wide > plain ? 1 : 0), text.size());
    while (end < text.size() && !is_ascii(text[end])) ++end;
    if (end == at) break;
    UErrorCode status = U_ZERO_ERROR;
    icu::StringByteSink<std::string> sink(&out);
    form.normalizeUTF8(0, {text.data() + at, static_cast<int32_t>(end - at)}, sink, nullptr, status);
    if (U_FAILURE(status) != 0) throw Error(ErrorCode::memory, "no memory to normalize a text");
    at = end;
  }
  return out;
}

}  // namespace

std::string nfc(std::string_view text) {
  static const icu::FilteredNormalizer2 kForm = make_form(icu::Normalizer2::getNFCInstance);
  return normalize(kForm, text);
}

std::string nfd(std::string_view text) {
  static const icu::FilteredNormalizer2 kForm = make_form(icu::Normalizer2::getNFDInstance);
  return normalize(kForm, text);
}

std::string nfkc(std::string_view text) {
  static const icu::FilteredNormalizer2 kForm = make_form(icu::Normalizer2::getNFKCInstance);
  return normalize(kForm, text);
}

std::string nfkd(std::string_view text) {
  static const icu::FilteredNormalizer2 kForm = make_form(icu::Normalizer2::getNFKDInstance);
  return normalize(kForm, text);
}

}  // namespace kvzip
