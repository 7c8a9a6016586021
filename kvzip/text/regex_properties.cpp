#include "kvzip/text/regex_properties.h"

#define PCRE2_CODE_UNIT_WIDTH 8  // PCRE2's header asks for this
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <functional>
#include <utility>

#include "kvzip/text/unicode/newer_points.h"

namespace kvzip {

namespace {

/// Names are compared without case and separators.
std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char letter : name) {
    if (letter != ' ' && letter != '_' && letter != '-') {
      plain += static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
    }
  }
  return plain;
}

constexpr auto kCategories = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"letter", "L"},
    {"casedletter", "LC"},
    {"uppercaseletter", "Lu"},
    {"lowercaseletter", "Ll"},
    {"titlecaseletter", "Lt"},
    {"modifierletter", "Lm"},
    {"otherletter", "Lo"},
    {"mark", "M"},
    {"nonspacingmark", "Mn"},
    {"spacingmark", "Mc"},
    {"enclosingmark", "Me"},
    {"number", "N"},
    {"decimalnumber", "Nd"},
    {"letternumber", "Nl"},
    {"othernumber", "No"},
    {"punctuation", "P"},
    {"connectorpunctuation", "Pc"},
    {"dashpunctuation", "Pd"},
    {"openpunctuation", "Ps"},
    {"closepunctuation", "Pe"},
    {"initialpunctuation", "Pi"},
    {"finalpunctuation", "Pf"},
    {"otherpunctuation", "Po"},
    {"symbol", "S"},
    {"mathsymbol", "Sm"},
    {"currencysymbol", "Sc"},
    {"modifiersymbol", "Sk"},
    {"othersymbol", "So"},
    {"separator", "Z"},
    {"spaceseparator", "Zs"},
    {"lineseparator", "Zl"},
    {"paragraphseparator", "Zp"},
    {"control", "Cc"},
    {"format", "Cf"},
    {"privateuse", "Co"},
    {"surrogate", "Cs"},
    {"other", "C"},
    {"unassigned", "Cn"},
});

/// The short name of a general category in its usual case; empty for other names.
std::string category_of(std::string_view plain) {
  const auto found = std::ranges::find(kCategories, plain, [](const auto& row) { return row.first; });
  if (found != kCategories.end()) return std::string(found->second);
  const bool is_short =
      std::ranges::any_of(kCategories, [&](const auto& row) { return plain_name(row.second) == plain; });
  if (!is_short) return {};
  if (plain == "lc") return "LC";
  std::string name(plain);
  name[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(name[0])));
  return name;
}

std::string newer_ranges(RegexTexts texts, const std::function<bool(const NewerPoints&)>& belongs) {
  std::string ranges;
  if (texts == RegexTexts::most) return ranges;
  for (const NewerPoints& points : newer_points()) {
    if (belongs(points)) ranges += fmt::format("\\x{{{:X}}}-\\x{{{:X}}}", points.first, points.last);
  }
  return ranges;
}

std::string of_category(std::string_view name, RegexTexts texts) {
  if (name == "LC") return of_category("Lu", texts) + of_category("Ll", texts) + of_category("Lt", texts);
  const auto belongs = [&](const NewerPoints& points) { return points.category.starts_with(name); };
  return fmt::format("\\p{{{}}}", name) + newer_ranges(texts, belongs);
}

std::string of_categories(std::initializer_list<std::string_view> names, RegexTexts texts) {
  std::string body;
  for (const std::string_view name : names) body += of_category(name, texts);
  return body;
}

std::string alphabetic(RegexTexts texts) {
  // Marks that became alphabetic in Unicode 15 and 16.
  constexpr std::string_view kChanged = R"(\x{363}-\x{36F}\x{C04}\x{F82}-\x{F83}\x{1DD3}-\x{1DE6}\x{11080}-\x{11081})";
  const auto belongs = [](const NewerPoints& points) { return points.alphabetic; };
  return "\\p{Alphabetic}" + std::string(kChanged) + newer_ranges(texts, belongs);
}

/// A property that goes with a category, and characters that became so in Unicode 15 and 16.
std::string cased(std::string_view property, std::string_view category, std::string_view changed, RegexTexts texts) {
  const auto belongs = [&](const NewerPoints& points) { return points.category == category; };
  return fmt::format("\\p{{{}}}{}", property, changed) + newer_ranges(texts, belongs);
}

std::string lower(RegexTexts texts) {
  constexpr std::string_view kChanged = R"(\x{10FC}\x{A7F2}-\x{A7F4}\x{AB69}\x{1E030}-\x{1E06D})";
  return cased("Lowercase", "Ll", kChanged, texts);
}

std::string word(RegexTexts texts) { return alphabetic(texts) + of_categories({"M", "Nd", "Pc"}, texts); }

/// All that is no control character, unassigned or white space.
RegexClass graph(RegexTexts texts, bool with_spaces) {
  const std::string body = of_categories({"L", "M", "N", "P", "S", "Cf", "Co"}, texts);
  return {.body = body + (with_spaces ? "\\p{Zs}" : "")};
}

std::string emoji(std::string_view property, RegexTexts texts) {
  constexpr uint32_t kWireless = 0x1F6DC;
  constexpr uint32_t kExtended = 0x1FA70;  // Symbols and Pictographs Extended-A, all of whose newer ones are emoji
  const auto belongs = [](const NewerPoints& points) {
    return points.first == kWireless || (points.first >= kExtended && points.first < kExtended + 0x90);
  };
  return fmt::format("\\p{{{}}}", property) + newer_ranges(texts, belongs);
}

bool is_script(std::string_view name) {
  const std::string pattern = fmt::format("\\p{{sc:{}}}", name);
  int error = 0;
  size_t offset = 0;
  pcre2_code* const code =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), PCRE2_UTF, &error, &offset, nullptr);
  pcre2_code_free(code);
  return code != nullptr;
}

}  // namespace

RegexClass regex_word(RegexTexts texts) { return {.body = word(texts) + R"(\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})"}; }

RegexClass regex_property(std::string_view name, RegexTexts texts) {
  const std::string plain = plain_name(name);
  const std::string category = category_of(plain);
  // PCRE2 takes what is newer for unassigned; so these two are told from the others.
  if (category == "C") return {.body = of_categories({"L", "M", "N", "P", "S", "Z"}, texts), .negated = true};
  if (category == "Cn") {
    return {.body = of_categories({"L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Co", "Cs"}, texts), .negated = true};
  }
  if (!category.empty()) return {.body = of_category(category, texts)};
  if (plain == "any") return {.body = "\\p{Any}"};
  if (plain == "ascii") return {.body = "\\x{0}-\\x{7F}"};
  if (plain == "assigned")
    return {.body = of_categories({"L", "M", "N", "P", "S", "Z", "Cc", "Cf", "Co", "Cs"}, texts)};
  if (plain == "alpha" || plain == "alphabetic") return {.body = alphabetic(texts)};
  if (plain == "alnum") return {.body = alphabetic(texts) + of_category("Nd", texts)};
  if (plain == "blank") return {.body = "\\p{Zs}\\t"};
  if (plain == "cntrl") return {.body = "\\p{Cc}"};
  if (plain == "digit") return {.body = of_category("Nd", texts)};
  if (plain == "graph") return graph(texts, false);
  if (plain == "print") return graph(texts, true);
  if (plain == "lower" || plain == "lowercase") return {.body = lower(texts)};
  if (plain == "punct") return {.body = of_categories({"P", "S"}, texts)};
  if (plain == "space" || plain == "whitespace") return {.body = "\\p{Wspace}"};
  if (plain == "upper" || plain == "uppercase") return {.body = cased("Uppercase", "Lu", "", texts)};
  if (plain == "xdigit") return {.body = "0-9A-Fa-f"};
  if (plain == "word") return {.body = word(texts)};
  if (plain == "emoji" || plain == "emojipresentation") return {.body = emoji(name, texts)};
  if (!is_script(plain)) return {.body = fmt::format("\\p{{{}}}", name)};
  const auto belongs = [&](const NewerPoints& points) { return points.script == plain; };
  return {.body = fmt::format("\\p{{sc:{}}}", plain) + newer_ranges(texts, belongs)};
}

}  // namespace kvzip
