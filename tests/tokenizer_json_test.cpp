// Tokenizers of tokenizer.json files against the package `tokenizers`: tests/tokenizers/make_cases.py makes the files
// and what the package gives for a thousand hard texts with each.
#include "kvzip/text/pipeline/tokenizer_json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "kvzip/base/error.h"
#include "kvzip/text/incremental_decoder.h"
#include "kvzip/text/pipeline/normalizer.h"
#include "kvzip/text/pipeline/pre_tokenizer.h"
#include "kvzip/text/unicode/utf8_append.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

using Ids = std::vector<TokenId>;
namespace fs = std::filesystem;

nlohmann::json read_json_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("can't read " + path);
  return nlohmann::json::parse(file);
}

std::string decode_streamed(const Tokenizer& tokenizer, const Ids& ids) {
  IncrementalDecoder decoder(tokenizer);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id);
  return text + decoder.flush();
}

/// A folder with what make_cases.py makes; `kind` is tokenizers or points.
struct Cases {
  explicit Cases(const std::string& kind) {
    const std::string script = KVZIP_SOURCE_DIR "/tests/tokenizers/make_cases.py";
    const std::string command = fmt::format("{} '{}' '{}' {}", python_path(), script, folder.path(), kind);
    if (std::system(command.c_str()) != 0) throw std::runtime_error(command);  // NOLINT(concurrency-mt-unsafe)
  }

  /// The names of all tokenizers.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder.path())) {
      const std::string name = entry.path().filename();
      const size_t end = name.find(".cases.json");
      if (end != std::string::npos) found.push_back(name.substr(0, end));
    }
    std::ranges::sort(found);
    return found;
  }
  nlohmann::json read(const std::string& name) const { return read_json_file(folder.file(name)); }

  TempFolder folder;
};

/// Counts what was compared, and says where the first differences are.
struct Comparison {
  void compare(const auto& found, const auto& expected, const std::string& what) {
    ++strings;
    if (found == expected) return;
    if (++differences > 3) return;
    EXPECT_EQ(found, expected) << what;
  }
  ~Comparison() { EXPECT_EQ(differences, 0U); }
  size_t strings = 0;
  size_t differences = 0;
  size_t broken = 0;  ///< of the strings that the package itself breaks on
};

void compare_encodings(const Tokenizer& tokenizer, const nlohmann::json& cases, const nlohmann::json& texts,
                       Comparison& comparison) {
  for (size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i].get<std::string>();
    const auto& expected = cases.at("ids")[i];
    if (expected.is_boolean()) {
      ++comparison.broken;
    } else if (expected.is_null()) {
      ++comparison.strings;
      EXPECT_THROW(tokenizer.encode(text), Error) << texts[i];
    } else {
      comparison.compare(tokenizer.encode(text), expected.get<Ids>(), texts[i].dump());
    }
  }
}

void compare_decodings(const Tokenizer& tokenizer, const nlohmann::json& cases, Comparison& comparison) {
  const auto& all_ids = cases.contains("decode_ids") ? cases.at("decode_ids") : cases.at("ids");
  for (size_t i = 0; i < all_ids.size(); ++i) {
    if (!all_ids[i].is_array()) continue;
    const auto ids = all_ids[i].get<Ids>();
    const auto decoded = cases.at("decoded")[i].get<std::string>();
    comparison.compare(tokenizer.decode(ids), decoded, all_ids[i].dump());
    comparison.compare(decode_streamed(tokenizer, ids), decoded, all_ids[i].dump());
    comparison.compare(tokenizer.verbatim(ids), cases.at("verbatim")[i].get<std::string>(), all_ids[i].dump());
  }
}

void compare_special_tokens(const Tokenizer& tokenizer, const nlohmann::json& cases, const nlohmann::json& texts,
                            Comparison& comparison) {
  if (!cases.contains("single")) return;
  constexpr size_t kFirst = 10;  // of the texts
  const auto ids_of = [&](size_t i) { return tokenizer.encode(texts[kFirst + i].get<std::string>()); };
  for (size_t i = 0; i < cases.at("single").size(); ++i) {
    comparison.compare(tokenizer.with_special_tokens(ids_of(i)), cases.at("single")[i].get<Ids>(), "single");
  }
  for (size_t i = 0; i < cases.at("pair").size(); ++i) {
    const Ids second = ids_of(i + 1);
    comparison.compare(tokenizer.with_special_tokens(ids_of(i), second), cases.at("pair")[i].get<Ids>(), "pair");
  }
}

TEST(TokenizerJson, IdsAndTextAreThoseOfThePackage) {
  const Cases made("tokenizers");
  const nlohmann::json texts = made.read("texts.json");
  EXPECT_GE(texts.size(), 1000U);
  size_t strings = 0;
  size_t broken = 0;
  for (const std::string& name : made.names()) {
    SCOPED_TRACE(name);
    const auto tokenizer = read_tokenizer_json(made.folder.file(name + ".json"));
    const nlohmann::json cases = made.read(name + ".cases.json");
    const nlohmann::json& own_texts = cases.contains("texts") ? cases.at("texts") : texts;
    Comparison comparison;
    compare_encodings(*tokenizer, cases, own_texts, comparison);
    compare_decodings(*tokenizer, cases, comparison);
    compare_special_tokens(*tokenizer, cases, own_texts, comparison);
    strings += comparison.strings;
    broken += comparison.broken;
  }
  EXPECT_GT(strings, 100'000U);
  EXPECT_LT(broken, strings / 1000);
  fmt::print("{} tokenizers, {} strings compared; the package breaks on {} others\n", made.names().size(), strings,
             broken);
}

uint32_t crc32(std::string_view bytes) {
  uint32_t sum = ~uint32_t{0};
  for (const char byte : bytes) {
    sum ^= static_cast<uint8_t>(byte);
    for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1U) ^ ((sum & 1U) != 0 ? 0xEDB88320U : 0U);
  }
  return ~sum;
}

/// The text of each 256 code points, with a letter between two.
std::vector<std::string> blocks_of(const nlohmann::json& points) {
  std::vector<std::string> blocks;
  for (size_t i = 0; i < points.size(); ++i) {
    if (i % 256 == 0) blocks.emplace_back();
    if (i % 256 != 0) blocks.back() += 'a';
    append_utf8(points[i].get<uint32_t>(), blocks.back());
  }
  return blocks;
}

TEST(TokenizerJson, ComponentsTreatAllCodePointsAsThePackageDoes) {
  const nlohmann::json file = Cases("points").read("points.json");
  const std::vector<std::string> blocks = blocks_of(file.at("points"));
  const auto name = [](const nlohmann::json& entry, size_t block) {
    return fmt::format("{}, block {} of {}", entry.at("name").get<std::string>(), block, entry.at("sums").size());
  };
  size_t compared = 0;
  for (const auto& entry : file.at("normalizers")) {
    const auto normalizer = make_normalizer(Component("points.json", "", entry.at("component")));
    for (size_t i = 0; i < blocks.size(); ++i) {
      NormalizedText text{.text = "a" + blocks[i]};
      normalizer->apply(text);
      EXPECT_EQ(crc32(text.text), entry.at("sums")[i].get<uint32_t>()) << name(entry, i);
      ++compared;
    }
  }
  for (const auto& entry : file.at("pre_tokenizers")) {
    const Component component("points.json", "", entry.at("component"));
    const PreTokenizerChain chain(&component);
    for (size_t i = 0; i < blocks.size(); ++i) {
      TextStore store;
      std::string words;
      const auto add = [&](Piece piece) {
        if (!words.empty()) words += '\0';
        words += piece.text;
      };
      chain.split({.text = blocks[i], .origin = 1}, store, add);
      EXPECT_EQ(crc32(words), entry.at("sums")[i].get<uint32_t>()) << name(entry, i);
      ++compared;
    }
  }
  EXPECT_GT(compared, 5'000U);
  fmt::print("{} blocks of 256 code points compared\n", compared);
}

}  // namespace
}  // namespace kvzip
