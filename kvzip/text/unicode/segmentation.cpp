#include "kvzip/text/unicode/segmentation.h"

#include <fmt/format.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/utext.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <memory>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kWindow = size_t{1} << 16U;
constexpr size_t kLargestWindow = size_t{1} << 24U;

void check_icu(UErrorCode status) {
  if (U_FAILURE(status))
    throw Error(ErrorCode::unsupported, fmt::format("text segmentation: ICU reports {}", u_errorName(status)));
}

class Segmenter {
 public:
  explicit Segmenter(UBreakIteratorType type) {
    UErrorCode status = U_ZERO_ERROR;
    iterator_.reset(ubrk_open(type, "", nullptr, 0, &status));
    check_icu(status);
  }

  /// Visits the segments of `window` that end at or before `limit`; returns where the last of them does.
  size_t visit(std::string_view window, size_t limit, const VisitSegment& visit) {
    UErrorCode status = U_ZERO_ERROR;
    text_.reset(utext_openUTF8(text_.release(), window.data(), static_cast<int64_t>(window.size()), &status));
    check_icu(status);
    ubrk_setUText(iterator_.get(), text_.get(), &status);
    check_icu(status);
    size_t begin = 0;
    for (int32_t next = ubrk_next(iterator_.get()); next != UBRK_DONE; next = ubrk_next(iterator_.get())) {
      const auto end = static_cast<size_t>(next);
      if (end > limit) break;
      visit(window.substr(begin, end - begin));
      begin = end;
    }
    return begin;
  }

 private:
  struct Close {
    void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
    void operator()(UText* text) const { utext_close(text); }
  };
  std::unique_ptr<UText, Close> text_;  // outlives the iterator, which refers to it
  std::unique_ptr<UBreakIterator, Close> iterator_;
};

/// At most `size` bytes from the start of `text`, and no part of a character at their end.
std::string_view whole_characters(std::string_view text, size_t size) {
  if (size >= text.size()) return text;
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  auto end = static_cast<int32_t>(size);
  U8_SET_CP_START(bytes, 0, end);
  return text.substr(0, static_cast<size_t>(end));
}

// Where a line ends, so do all kinds of segment. Without an end of line in the window, segments that end in its first
// half are taken for certain: how they are cut may depend on what follows, but not from so far away.
void segment(UBreakIteratorType type, std::string_view text, const VisitSegment& visit) {
  Segmenter segmenter(type);
  size_t size = kWindow;
  while (!text.empty()) {
    std::string_view window = whole_characters(text, size);
    const size_t feed = window.size() == text.size() ? text.size() - 1 : window.rfind('\n');
    const bool certain = feed != std::string_view::npos;
    if (certain) window = window.substr(0, feed + 1);
    size_t done = segmenter.visit(window, certain ? window.size() : window.size() / 2, visit);
    if (done == 0 && size < kLargestWindow) {
      size *= 2;
      continue;
    }
    if (done == 0) {
      const std::string_view cut = whole_characters(window, window.size() / 2);
      visit(cut);
      done = cut.size();
    }
    text.remove_prefix(done);
    size = kWindow;
  }
}

}  // namespace

void characters(std::string_view text, const VisitSegment& visit) { segment(UBRK_CHARACTER, text, visit); }
void words(std::string_view text, const VisitSegment& visit) { segment(UBRK_WORD, text, visit); }
void sentences(std::string_view text, const VisitSegment& visit) { segment(UBRK_SENTENCE, text, visit); }

void whitespace_pieces(std::string_view text, const VisitSegment& visit) {
  const auto* bytes = reinterpret_cast<const uint8_t*>(text.data());
  size_t begin = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t before = at;
    UChar32 point = 0;
    U8_NEXT_OR_FFFD(bytes, at, text.size(), point);  // NOLINT(bugprone-inc-dec-in-conditions): ICU's macro
    if (!u_isUWhiteSpace(point)) continue;
    if (before > begin) visit(text.substr(begin, before - begin));
    begin = at;
  }
  if (begin < text.size()) visit(text.substr(begin));
}

bool is_blank(std::string_view text) {
  bool blank = true;
  whitespace_pieces(text, [&](std::string_view) { blank = false; });
  return blank;
}

}  // namespace kvzip
