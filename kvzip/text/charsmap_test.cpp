#include "kvzip/text/charsmap.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

/// The blob of a map, with a double array that is filled in the plainest way: each node's children get the first base
/// where they all fit.
class CharsmapBuilder {
 public:
  explicit CharsmapBuilder(const std::map<std::string, std::string>& rules) {
    std::vector<std::pair<std::string, uint32_t>> keys;
    for (const auto& [from, to] : rules) {
      keys.emplace_back(from, replacements_.size());
      replacements_ += to + '\0';
    }
    units_[0] = 0;
    place(keys, 0, 0, 0);
  }

  std::string blob() const {
    std::vector<uint32_t> units(units_.rbegin()->first / 256 * 256 + 256);
    for (const auto& [at, unit] : units_) units[at] = unit;
    std::string out = bytes(static_cast<uint32_t>(units.size() * 4));
    for (const uint32_t unit : units) out += bytes(unit);
    return out + replacements_;
  }

  static std::string bytes(uint32_t value) {
    std::string out;
    for (int i = 0; i < 4; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
  }

 private:
  using Keys = std::vector<std::pair<std::string, uint32_t>>;

  /// Children of the unit at `parent`, which the first `depth` bytes of `keys` lead to.
  void place(const Keys& keys, size_t depth, uint32_t parent, uint32_t parent_label) {
    std::map<uint32_t, Keys> children;  // by byte; 0: the key ends here
    for (const auto& key : keys)
      children[key.first.size() == depth ? 0 : static_cast<uint8_t>(key.first[depth])].push_back(key);
    const bool ends = children.contains(0);
    uint32_t offset = 1;
    const auto fits = [&] {
      if (bases_.contains(parent ^ offset)) return false;  // two nodes with one base would share their children
      for (const auto& child : children) {
        if (units_.contains(parent ^ offset ^ child.first)) return false;
      }
      return true;
    };
    while (!fits()) ++offset;
    units_[parent] = parent_label | (ends ? 0x100U : 0U) | (offset << 10U);
    const uint32_t base = parent ^ offset;
    bases_.insert(base);
    for (const auto& child : children) units_[base ^ child.first] = 0;
    for (const auto& [byte, inside] : children) {
      if (byte == 0) {
        units_[base] = 0x80000000U | inside[0].second;
      } else {
        place(inside, depth + 1, base ^ byte, byte);
      }
    }
  }

  std::map<uint32_t, uint32_t> units_;
  std::set<uint32_t> bases_;
  std::string replacements_;
};

using Rules = std::map<std::string, std::string>;

std::string blob_of(const Rules& rules) { return CharsmapBuilder(rules).blob(); }

std::string naive(const Rules& rules, std::string text) {
  std::string out;
  while (!text.empty()) {
    const std::pair<const std::string, std::string>* best = nullptr;
    for (const auto& rule : rules) {
      if (text.starts_with(rule.first) && (!best || rule.first.size() > best->first.size())) best = &rule;
    }
    out += best ? best->second : text.substr(0, 1);
    text.erase(0, best ? best->first.size() : 1);
  }
  return out;
}

TEST(Charsmap, ReplacesTheLongestStringOfTheMap) {
  Random random(31);
  for (int round = 0; round < 100; ++round) {
    Rules rules;
    for (size_t i = 1 + random.number(12); i > 0; --i) {
      rules[random.of("abc ", 1 + random.number(4))] = random.of("xyz ", random.number(4));
    }
    const Charsmap map(blob_of(rules));
    for (int i = 0; i < 20; ++i) {
      const std::string text = random.of("abcd ", random.number(40));
      ASSERT_EQ(map.normalize(text), naive(rules, text)) << text;
      ASSERT_EQ(naive(rules, text.substr(0, map.untouched(text))), text.substr(0, map.untouched(text)));
      const auto shortest = map.shortest(text);
      const auto longest = map.longest(text);
      ASSERT_EQ(shortest.has_value(), longest.has_value());
      if (!shortest) continue;
      ASSERT_EQ(rules.at(text.substr(0, shortest->length)), shortest->replacement);
      ASSERT_EQ(rules.at(text.substr(0, longest->length)), longest->replacement);
      for (const auto& rule : rules) {
        if (!text.starts_with(rule.first)) continue;
        ASSERT_GE(rule.first.size(), shortest->length);
        ASSERT_LE(rule.first.size(), longest->length);
      }
    }
  }
}

TEST(Charsmap, OtherCharactersStayAndBrokenOnesAreReplaced) {
  const Charsmap map(blob_of({{"\u00E9", "e"}, {"e\u0301", "e"}}));
  EXPECT_EQ(map.normalize("e\u0301\u00E9\u65E5ee"), "ee\u65E5ee");
  EXPECT_EQ(map.normalize("a\xC3\xE6\x97z"), "a\uFFFD\uFFFD\uFFFDz");
  EXPECT_EQ(map.untouched("ae\u0301"), 1U);
  EXPECT_EQ(Charsmap().normalize("e\u0301"), "e\u0301");
  EXPECT_TRUE(Charsmap().empty());
}

TEST(Charsmap, WrongSizesAreErrors) {
  const std::string blob = blob_of({{"a", "b"}});
  for (size_t size = 0; size < 1028; ++size) {
    EXPECT_THROW(Charsmap(blob.substr(0, size)), Error) << size;
  }
  for (const uint32_t size : {0U, 2U, 1023U, 1024U + 4U, 0xFFFFFFFCU, 0x7FFFFFFFU}) {
    EXPECT_THROW(Charsmap(CharsmapBuilder::bytes(size) + blob.substr(4)), Error) << size;
  }
}

TEST(Charsmap, AnyTrieEnds) {
  Random random(32);
  for (int round = 0; round < 300; ++round) {
    std::string blob = blob_of({{"a", "b"}, {"ab", "c"}, {"b\u00E9", ""}});
    for (int i = 0; i < 200; ++i) blob[4 + random.number(blob.size() - 4)] = static_cast<char>(random.number(256));
    const Charsmap map(blob);
    const std::string text = random.of("ab", 20) + random.utf8(20) + random.bytes(20);
    EXPECT_LE(map.normalize(text).size(), text.size() * blob.size());
    map.shortest(text);
  }
}

}  // namespace
}  // namespace kvzip
