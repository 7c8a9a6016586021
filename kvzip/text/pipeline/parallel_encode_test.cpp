#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvzip/base/parallel.h"
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/pipeline/tokenizer_json.h"
#include "kvzip/text/split_patterns.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using Json = nlohmann::json;

const Json kByteLevel = {
    {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
const Json kBytesOnly = {
    {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};

const Json kMetaspace = {
    {"type", "Metaspace"}, {"replacement", "\u2581"}, {"prepend_scheme", "always"}, {"split", true}};

Json split(std::string_view pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

/// No steps: no pre-tokenizer.
std::string tokenizer_json(const std::vector<Json>& steps) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < 256; ++byte) vocabulary[std::string(byte_spelling(static_cast<uint8_t>(byte)))] = byte;
  Json merges = Json::array();
  for (const char* pair : {"a a", "l l", "' s", "\u0120 a", "\u010A \u010A", "2 3", "\u00C3 \u00A9", "\u0120 \u0120"}) {
    merges.push_back(pair);
    std::string token = pair;
    vocabulary[token.erase(token.find(' '), 1)] = vocabulary.size();
  }
  for (const char* mark : {"\u2581", " "}) vocabulary[mark] = vocabulary.size();
  const Json added = {{"id", vocabulary.size()}, {"content", "<s>"},    {"single_word", false}, {"lstrip", false},
                      {"rstrip", false},         {"normalized", false}, {"special", true}};
  return Json{{"version", "1.0"},
              {"added_tokens", {added}},
              {"normalizer", nullptr},
              {"pre_tokenizer", steps.empty() ? Json() : Json{{"type", "Sequence"}, {"pretokenizers", steps}}},
              {"post_processor", nullptr},
              {"decoder", {{"type", "ByteLevel"}}},
              {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", merges}}}}
      .dump();
}

TEST(ParallelEncode, GivesTheIdsOfOneThread) {
  static const std::string kParts[] = {"a",  "B",      "ll",     "'s",     "'",      " ",      "  ",   "\n", "\r\n",
                                       "\t", "<s>",    "1",      "23",     ".",      "/",      "\n",   "-",  "<s",
                                       ">",  "\u00E9", "\u0301", "\u3000", "\u65E5", "\u3002", "\xFF", "a ", " a"};
  Random random(51);
  std::string text;
  while (text.size() < 5'000'000) text += kParts[random.number(std::size(kParts))];
  text.insert(text.size() / 2, std::string(300'000, 'x') + "<s><s>");  // a long word, and special tokens in a row
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  const std::vector<std::vector<Json>> all_steps = {{kByteLevel},
                                                    {digits, kByteLevel},
                                                    {split(kLlama3Words), kBytesOnly},
                                                    {split(kQwen2Words), kBytesOnly},
                                                    {split(kO200kWords), kBytesOnly},
                                                    {kMetaspace},
                                                    {{{"type", "WhitespaceSplit"}}, kMetaspace},
                                                    {{{"type", "Whitespace"}}},
                                                    {{{"type", "BertPreTokenizer"}}, kBytesOnly},
                                                    {}};
  const size_t threads = thread_count();
  for (const auto& steps : all_steps) {
    const auto tokenizer = parse_tokenizer_json("f", tokenizer_json(steps));
    set_thread_count(1);
    const auto ids = tokenizer->encode(text);
    set_thread_count(3);
    EXPECT_TRUE(tokenizer->encode(text) == ids) << Json(steps);
    set_thread_count(threads);
  }
}

}  // namespace
}  // namespace kvzip
