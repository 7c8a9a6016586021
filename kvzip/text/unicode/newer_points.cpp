#include "kvzip/text/unicode/newer_points.h"

#include <algorithm>
#include <array>
#include <bitset>

namespace kvzip {

namespace {

// clang-format off
// UnicodeData.txt, Scripts.txt and DerivedCoreProperties.txt of Unicode 16 against those of Unicode 14.
constexpr auto kNewer = std::to_array<NewerPoints>({
    {0x897, 0x897, "Mn", "arabic", true}, {0xCF3, 0xCF3, "Mc", "kannada", true}, {0xECE, 0xECE, "Mn", "lao"},
    {0x1B4E, 0x1B4F, "Po", "balinese"}, {0x1B7F, 0x1B7F, "Po", "balinese"},
    {0x1C89, 0x1C89, "Lu", "cyrillic", true}, {0x1C8A, 0x1C8A, "Ll", "cyrillic", true},
    {0x2427, 0x2429, "So", "common"}, {0x2FFC, 0x2FFF, "So", "common"}, {0x31E4, 0x31E5, "So", "common"},
    {0x31EF, 0x31EF, "So", "common"}, {0xA7CB, 0xA7CC, "Lu", "latin", true}, {0xA7CD, 0xA7CD, "Ll", "latin", true},
    {0xA7DA, 0xA7DA, "Lu", "latin", true}, {0xA7DB, 0xA7DB, "Ll", "latin", true},
    {0xA7DC, 0xA7DC, "Lu", "latin", true}, {0x105C0, 0x105F3, "Lo", "todhri", true},
    {0x10D40, 0x10D49, "Nd", "garay"}, {0x10D4A, 0x10D4D, "Lo", "garay", true},
    {0x10D4E, 0x10D4E, "Lm", "garay", true}, {0x10D4F, 0x10D4F, "Lo", "garay", true},
    {0x10D50, 0x10D65, "Lu", "garay", true}, {0x10D69, 0x10D69, "Mn", "garay", true},
    {0x10D6A, 0x10D6D, "Mn", "garay"}, {0x10D6E, 0x10D6E, "Pd", "garay"}, {0x10D6F, 0x10D6F, "Lm", "garay", true},
    {0x10D70, 0x10D85, "Ll", "garay", true}, {0x10D8E, 0x10D8F, "Sm", "garay"},
    {0x10EC2, 0x10EC4, "Lo", "arabic", true}, {0x10EFC, 0x10EFC, "Mn", "arabic", true},
    {0x10EFD, 0x10EFF, "Mn", "arabic"}, {0x1123F, 0x11240, "Lo", "khojki", true},
    {0x11241, 0x11241, "Mn", "khojki", true}, {0x11380, 0x11389, "Lo", "tulutigalari", true},
    {0x1138B, 0x1138B, "Lo", "tulutigalari", true}, {0x1138E, 0x1138E, "Lo", "tulutigalari", true},
    {0x11390, 0x113B5, "Lo", "tulutigalari", true}, {0x113B7, 0x113B7, "Lo", "tulutigalari", true},
    {0x113B8, 0x113BA, "Mc", "tulutigalari", true}, {0x113BB, 0x113C0, "Mn", "tulutigalari", true},
    {0x113C2, 0x113C2, "Mc", "tulutigalari", true}, {0x113C5, 0x113C5, "Mc", "tulutigalari", true},
    {0x113C7, 0x113CA, "Mc", "tulutigalari", true}, {0x113CC, 0x113CD, "Mc", "tulutigalari", true},
    {0x113CE, 0x113CE, "Mn", "tulutigalari"}, {0x113CF, 0x113CF, "Mc", "tulutigalari"},
    {0x113D0, 0x113D0, "Mn", "tulutigalari"}, {0x113D1, 0x113D1, "Lo", "tulutigalari", true},
    {0x113D2, 0x113D2, "Mn", "tulutigalari"}, {0x113D3, 0x113D3, "Lo", "tulutigalari", true},
    {0x113D4, 0x113D5, "Po", "tulutigalari"}, {0x113D7, 0x113D8, "Po", "tulutigalari"},
    {0x113E1, 0x113E2, "Mn", "tulutigalari"}, {0x116D0, 0x116E3, "Nd", "myanmar"},
    {0x11B00, 0x11B09, "Po", "devanagari"}, {0x11BC0, 0x11BE0, "Lo", "sunuwar", true},
    {0x11BE1, 0x11BE1, "Po", "sunuwar"}, {0x11BF0, 0x11BF9, "Nd", "sunuwar"},
    {0x11F00, 0x11F01, "Mn", "kawi", true}, {0x11F02, 0x11F02, "Lo", "kawi", true},
    {0x11F03, 0x11F03, "Mc", "kawi", true}, {0x11F04, 0x11F10, "Lo", "kawi", true},
    {0x11F12, 0x11F33, "Lo", "kawi", true}, {0x11F34, 0x11F35, "Mc", "kawi", true},
    {0x11F36, 0x11F3A, "Mn", "kawi", true}, {0x11F3E, 0x11F3F, "Mc", "kawi", true},
    {0x11F40, 0x11F40, "Mn", "kawi", true}, {0x11F41, 0x11F41, "Mc", "kawi"}, {0x11F42, 0x11F42, "Mn", "kawi"},
    {0x11F43, 0x11F4F, "Po", "kawi"}, {0x11F50, 0x11F59, "Nd", "kawi"}, {0x11F5A, 0x11F5A, "Mn", "kawi"},
    {0x1342F, 0x1342F, "Lo", "egyptianhieroglyphs", true}, {0x13439, 0x1343F, "Cf", "egyptianhieroglyphs"},
    {0x13440, 0x13440, "Mn", "egyptianhieroglyphs"}, {0x13441, 0x13446, "Lo", "egyptianhieroglyphs", true},
    {0x13447, 0x13455, "Mn", "egyptianhieroglyphs"}, {0x13460, 0x143FA, "Lo", "egyptianhieroglyphs", true},
    {0x16100, 0x1611D, "Lo", "gurungkhema", true}, {0x1611E, 0x16129, "Mn", "gurungkhema", true},
    {0x1612A, 0x1612C, "Mc", "gurungkhema", true}, {0x1612D, 0x1612E, "Mn", "gurungkhema", true},
    {0x1612F, 0x1612F, "Mn", "gurungkhema"}, {0x16130, 0x16139, "Nd", "gurungkhema"},
    {0x16D40, 0x16D42, "Lm", "kiratrai", true}, {0x16D43, 0x16D6A, "Lo", "kiratrai", true},
    {0x16D6B, 0x16D6C, "Lm", "kiratrai", true}, {0x16D6D, 0x16D6F, "Po", "kiratrai"},
    {0x16D70, 0x16D79, "Nd", "kiratrai"}, {0x18CFF, 0x18CFF, "Lo", "khitansmallscript", true},
    {0x1B132, 0x1B132, "Lo", "hiragana", true}, {0x1B155, 0x1B155, "Lo", "katakana", true},
    {0x1CC00, 0x1CCEF, "So", "common"}, {0x1CCF0, 0x1CCF9, "Nd", "common"}, {0x1CD00, 0x1CEB3, "So", "common"},
    {0x1D2C0, 0x1D2D3, "No", "common"}, {0x1DF25, 0x1DF2A, "Ll", "latin", true},
    {0x1E030, 0x1E06D, "Lm", "cyrillic", true}, {0x1E08F, 0x1E08F, "Mn", "cyrillic", true},
    {0x1E4D0, 0x1E4EA, "Lo", "nagmundari", true}, {0x1E4EB, 0x1E4EB, "Lm", "nagmundari", true},
    {0x1E4EC, 0x1E4EF, "Mn", "nagmundari"}, {0x1E4F0, 0x1E4F9, "Nd", "nagmundari"},
    {0x1E5D0, 0x1E5ED, "Lo", "olonal", true}, {0x1E5EE, 0x1E5EF, "Mn", "olonal"},
    {0x1E5F0, 0x1E5F0, "Lo", "olonal", true}, {0x1E5F1, 0x1E5FA, "Nd", "olonal"},
    {0x1E5FF, 0x1E5FF, "Po", "olonal"}, {0x1F6DC, 0x1F6DC, "So", "common"}, {0x1F774, 0x1F776, "So", "common"},
    {0x1F77B, 0x1F77F, "So", "common"}, {0x1F7D9, 0x1F7D9, "So", "common"}, {0x1F8B2, 0x1F8BB, "So", "common"},
    {0x1F8C0, 0x1F8C1, "So", "common"}, {0x1FA75, 0x1FA77, "So", "common"}, {0x1FA87, 0x1FA89, "So", "common"},
    {0x1FA8F, 0x1FA8F, "So", "common"}, {0x1FAAD, 0x1FAAF, "So", "common"}, {0x1FABB, 0x1FABF, "So", "common"},
    {0x1FAC6, 0x1FAC6, "So", "common"}, {0x1FACE, 0x1FACF, "So", "common"}, {0x1FADA, 0x1FADC, "So", "common"},
    {0x1FADF, 0x1FADF, "So", "common"}, {0x1FAE8, 0x1FAE9, "So", "common"}, {0x1FAF7, 0x1FAF8, "So", "common"},
    {0x1FBCB, 0x1FBEF, "So", "common"}, {0x2B739, 0x2B739, "Lo", "han", true},
    {0x2EBF0, 0x2EE5D, "Lo", "han", true}, {0x31350, 0x323AF, "Lo", "han", true},
});
// clang-format on

constexpr uint32_t kBlock = 256;

/// The blocks of 256 code points in which any is newer.
const std::bitset<0x110000 / kBlock>& blocks() {
  static const auto kBlocks = [] {
    std::bitset<0x110000 / kBlock> blocks;
    for (const NewerPoints& range : kNewer) {
      for (uint32_t block = range.first / kBlock; block <= range.last / kBlock; ++block) blocks.set(block);
    }
    return blocks;
  }();
  return kBlocks;
}

bool is_newer(uint32_t point) {
  if (!blocks()[point / kBlock]) return false;
  const auto range = std::ranges::lower_bound(kNewer, point, {}, &NewerPoints::last);
  return range != kNewer.end() && range->first <= point;
}

}  // namespace

std::span<const NewerPoints> newer_points() { return kNewer; }

bool has_newer_points(std::string_view text) {
  const auto tail = [&](size_t at) { return static_cast<uint32_t>(text[at]) & 0x3FU; };
  for (size_t at = 0; at < text.size(); ++at) {
    const auto lead = static_cast<uint8_t>(text[at]);
    if (lead < 0xE0) continue;  // all of them have at least three bytes
    if (lead < 0xF0) {
      if (is_newer(((lead & 0x0FU) << 12U) | (tail(at + 1) << 6U) | tail(at + 2))) return true;
      at += 2;
    } else {
      if (is_newer(((lead & 0x07U) << 18U) | (tail(at + 1) << 12U) | (tail(at + 2) << 6U) | tail(at + 3))) return true;
      at += 3;
    }
  }
  return false;
}

}  // namespace kvzip
