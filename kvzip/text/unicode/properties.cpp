#include "kvzip/text/unicode/properties.h"

#include <unicode/uchar.h>
#include <unicode/uscript.h>

#include <algorithm>
#include <array>
#include <bitset>

#include "kvzip/text/unicode/newer_points.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

constexpr uint32_t kEnd = 0x110000;

using PointSet = std::bitset<kEnd>;

struct Range {
  uint32_t first;
  uint32_t last;
};

/// All code points for which holds(point) does, except `taken`, and `given` for which it does not.
template <class Holds>
PointSet make_set(Holds holds, std::initializer_list<Range> given = {}, std::initializer_list<Range> taken = {}) {
  PointSet set;
  for (uint32_t point = 0; point < kEnd; ++point) set[point] = holds(static_cast<UChar32>(point));
  for (const Range& range : given) {
    for (uint32_t point = range.first; point <= range.last; ++point) set.set(point);
  }
  for (const Range& range : taken) {
    for (uint32_t point = range.first; point <= range.last; ++point) set.reset(point);
  }
  return set;
}

bool has_category(UChar32 point, uint32_t mask) { return (U_GET_GC_MASK(point) & mask) != 0; }

/// Whether the character is in Unicode up to this version.
bool is_of_age(UChar32 point, uint8_t version) {
  UVersionInfo age;
  u_charAge(point, age);
  return age[0] != 0 && (age[0] < version || (age[0] == version && age[1] == 0));
}

/// Adds what Unicode 16 has more than ICU.
template <class Belongs>
void add_newer(PointSet& set, Belongs belongs) {
  for (const NewerPoints& points : newer_points()) {
    if (!belongs(points)) continue;
    for (uint32_t point = points.first; point <= points.last; ++point) set.set(point);
  }
}

PointSet numeric() {
  PointSet set = make_set([](UChar32 point) { return has_category(point, U_GC_N_MASK); },
                          {{.first = 0x11DE0, .last = 0x11DE9}, {.first = 0x16FF4, .last = 0x16FF6}});
  add_newer(set, [](const NewerPoints& points) { return points.category.starts_with('N'); });
  return set;
}

PointSet word() {
  constexpr uint32_t kMask = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
  const auto holds = [](UChar32 point) {
    return u_hasBinaryProperty(point, UCHAR_ALPHABETIC) != 0 || has_category(point, kMask) ||
           u_hasBinaryProperty(point, UCHAR_JOIN_CONTROL) != 0;
  };
  PointSet set = make_set(holds);
  add_newer(set, [](const NewerPoints& points) {
    return points.alphabetic || points.category.starts_with('M') || points.category == "Nd" || points.category == "Pc";
  });
  return set;
}

bool is_ascii_symbol(UChar32 point) {
  return (point >= '!' && point <= '/') || (point >= ':' && point <= '@') || (point >= '[' && point <= '`') ||
         (point >= '{' && point <= '~');
}

PointSet punctuation() {
  const auto holds = [](UChar32 point) {
    return is_ascii_symbol(point) || (has_category(point, U_GC_P_MASK) && is_of_age(point, 8));
  };
  return make_set(holds, {{.first = 0x166D, .last = 0x166D}, {.first = 0x111C9, .last = 0x111C9}});
}

PointSet nonspacing_mark() {
  const auto holds = [](UChar32 point) { return has_category(point, U_GC_MN_MASK) && is_of_age(point, 8); };
  return make_set(
      holds, {{.first = 0x1734, .last = 0x1734}},
      {{.first = 0x1885, .last = 0x1886}, {.first = 0xA9BD, .last = 0xA9BD}, {.first = 0x111C9, .last = 0x111C9}});
}

PointSet control() {
  constexpr uint32_t kMask = U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK;
  return make_set([](UChar32 point) { return has_category(point, kMask) && is_of_age(point, 8); });
}

PointSet combining_mark() {
  const auto holds = [](UChar32 point) { return has_category(point, U_GC_M_MASK) && is_of_age(point, 9); };
  return make_set(holds, {{.first = 0x1CF2, .last = 0x1CF3}}, {{.first = 0x111C9, .last = 0x111C9}});
}

/// Lower cases that ICU's version of Unicode does not know.
struct LowerCase {
  uint32_t first;
  uint32_t last;
  uint32_t lower;  ///< of `first`; the others follow
};
constexpr auto kNewerCases = std::to_array<LowerCase>({
    {0x1C89, 0x1C89, 0x1C8A},
    {0xA7CB, 0xA7CB, 0x264},
    {0xA7CC, 0xA7CC, 0xA7CD},
    {0xA7CE, 0xA7CE, 0xA7CF},
    {0xA7D2, 0xA7D2, 0xA7D3},
    {0xA7D4, 0xA7D4, 0xA7D5},
    {0xA7DA, 0xA7DA, 0xA7DB},
    {0xA7DC, 0xA7DC, 0x19B},
    {0x10D50, 0x10D65, 0x10D70},
    {0x16EA0, 0x16EB8, 0x16EBB},
});

constexpr auto kChinese = std::to_array<Range>({
    {0x4E00, 0x9FFF},
    {0x3400, 0x4DBF},
    {0x20000, 0x2A6DF},
    {0x2A700, 0x2B73F},
    {0x2B740, 0x2B81F},
    {0x2B920, 0x2CEAF},
    {0xF900, 0xFAFF},
    {0x2F800, 0x2FA1F},
});

}  // namespace

bool is_white_space(uint32_t point) {
  if (point < 0x80) return point == ' ' || (point >= '\t' && point <= '\r');
  return u_hasBinaryProperty(static_cast<UChar32>(point), UCHAR_WHITE_SPACE) != 0;
}

bool is_numeric(uint32_t point) {
  static const PointSet kSet = numeric();
  return kSet[point];
}

bool is_word(uint32_t point) {
  static const PointSet kSet = word();
  return kSet[point];
}

bool is_punctuation(uint32_t point) {
  static const PointSet kSet = punctuation();
  return kSet[point];
}

bool is_nonspacing_mark(uint32_t point) {
  static const PointSet kSet = nonspacing_mark();
  return kSet[point];
}

bool is_control(uint32_t point) {
  static const PointSet kSet = control();
  return kSet[point];
}

bool is_combining_mark(uint32_t point) {
  static const PointSet kSet = combining_mark();
  return kSet[point];
}

bool is_chinese(uint32_t point) {
  return std::ranges::any_of(kChinese, [&](const Range& range) { return point >= range.first && point <= range.last; });
}

int script_number(uint32_t point) {
  const auto character = static_cast<UChar32>(point);
  if (point == ' ' || !is_of_age(character, 9) || !has_category(character, ~U_GC_CN_MASK)) return -1;
  if (point == 0x30FC) return USCRIPT_HAN;
  if (point == 0x589 || point == 0x61C) return USCRIPT_COMMON;  // these four have moved since
  if (point == 0x953 || point == 0x954) return USCRIPT_DEVANAGARI;
  UErrorCode status = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(character, &status);
  if (U_FAILURE(status) != 0 || script == USCRIPT_UNKNOWN) return -1;
  return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ? USCRIPT_HAN : script;
}

void append_lower_case(uint32_t point, std::string& out) {
  if (point < 0x80) {
    out += static_cast<char>(point >= 'A' && point <= 'Z' ? point + 0x20 : point);
    return;
  }
  if (point == 0x130) {  // the only one whose lower case has two characters
    out += "i\u0307";
    return;
  }
  for (const LowerCase& range : kNewerCases) {
    if (point >= range.first && point <= range.last) return append_utf8(range.lower + point - range.first, out);
  }
  append_utf8(static_cast<uint32_t>(u_tolower(static_cast<UChar32>(point))), out);
}

}  // namespace kvzip
