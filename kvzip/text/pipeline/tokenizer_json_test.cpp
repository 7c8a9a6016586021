#include "kvzip/text/pipeline/tokenizer_json.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/text/incremental_decoder.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using nlohmann::json;
using Ids = std::vector<TokenId>;

/// A word list with an added token; all other sections are there, and do nothing.
json small_file() {
  return json::parse(R"({
    "version": "1.0", "truncation": null, "padding": null,
    "added_tokens": [{"id": 3, "content": "<s>", "single_word": false, "lstrip": false, "rstrip": false,
                      "normalized": false, "special": true}],
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}]},
    "post_processor": {"type": "BertProcessing", "sep": ["<s>", 3], "cls": ["<s>", 3]},
    "decoder": {"type": "Sequence", "decoders": [{"type": "WordPiece", "prefix": "##", "cleanup": false}]},
    "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "a": 1, "b": 2}, "unk_token": "[UNK]"}})");
}

json bpe_model() {
  return json::parse(R"({"type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
    "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": [["a", "b"]]})");
}

std::string error_of(std::string_view text, ErrorCode* code = nullptr) {
  try {
    parse_tokenizer_json("tokenizer.json", text);
  } catch (const Error& error) {
    if (code != nullptr) *code = error.code();
    return error.what();
  }
  return "no error";
}

TEST(TokenizerJsonFile, ASmallOneWorks) {
  const auto tokenizer = parse_tokenizer_json("tokenizer.json", small_file().dump());
  EXPECT_EQ(tokenizer->encode("A b<s>x  a"), (Ids{1, 2, 3, 0, 1}));
  EXPECT_EQ(tokenizer->with_special_tokens(Ids{1, 2}), (Ids{3, 1, 2, 3}));
  EXPECT_EQ(tokenizer->with_special_tokens(Ids{1}, Ids{2}), (Ids{3, 1, 3, 2, 3}));
  EXPECT_EQ(tokenizer->decode(Ids{1, 3, 2}), "a b");
  EXPECT_EQ(tokenizer->verbatim(Ids{1, 3, 2}), "a <s> b");
  EXPECT_EQ(tokenizer->piece(3), "");
  EXPECT_EQ(tokenizer->piece(2), " b");
  EXPECT_EQ(tokenizer->spelling(3), "<s>");
  EXPECT_EQ(tokenizer->find("<s>"), 3);
  EXPECT_EQ(tokenizer->find("b"), 2);
  EXPECT_EQ(tokenizer->find("c"), std::nullopt);
  EXPECT_EQ(tokenizer->vocab_size(), 4U);
  EXPECT_EQ(tokenizer->description(), "wordlevel (tokenizer.json)");
  EXPECT_THROW(tokenizer->piece(4), Error);
  EXPECT_THROW(tokenizer->decode(Ids{-1}), Error);
  EXPECT_TRUE(tokenizer->encode("").empty());
  EXPECT_EQ(tokenizer->encode("\xFF a\xE2\x96"), (Ids{0, 0}));  // U+FFFD, which is no word of the list
}

struct Change {
  const char* place;  ///< a JSON pointer
  const char* value;  ///< null: the field is taken away
  const char* error;
  ErrorCode code = ErrorCode::input;
};

void expect_errors(const json& file, const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    json changed = file;
    const json::json_pointer place(change.place);
    if (change.value != nullptr) {
      changed[place] = json::parse(change.value);
    } else {
      changed.at(place.parent_pointer()).erase(place.back());
    }
    ErrorCode code = ErrorCode::internal;
    EXPECT_EQ(error_of(changed.dump(), &code), change.error);
    EXPECT_EQ(code, change.code) << change.error;
  }
}

TEST(TokenizerJsonFile, UnknownComponentsAreNamed) {
  constexpr auto kUnsupported = ErrorCode::unsupported;
  expect_errors(
      small_file(),
      {{"/model/type", R"("GPT")",
        "tokenizer.json: model.type: expected one of BPE, Unigram, WordLevel, WordPiece, found 'GPT'", kUnsupported},
       {"/normalizer/normalizers/0/type", R"("Upper")",
        "tokenizer.json: normalizer.normalizers[0].type: expected one of BertNormalizer, ByteLevel, Lowercase, NFC, "
        "NFD, "
        "NFKC, NFKD, Nmt, Precompiled, Prepend, Replace, Sequence, Strip, StripAccents, found 'Upper'",
        kUnsupported},
       {"/pre_tokenizer/pretokenizers/0", R"({"type": "Words"})",
        "tokenizer.json: pre_tokenizer.pretokenizers[0].type: expected one of BertPreTokenizer, ByteLevel, "
        "CharDelimiterSplit, Digits, FixedLength, Metaspace, Punctuation, Split, UnicodeScripts, Whitespace, "
        "WhitespaceSplit, found 'Words'",
        kUnsupported},
       {"/decoder/decoders/0/type", R"("Upper")",
        "tokenizer.json: decoder.decoders[0].type: expected one of BPEDecoder, ByteFallback, ByteLevel, CTC, Fuse, "
        "Metaspace, Replace, Sequence, Strip, WordPiece, found 'Upper'",
        kUnsupported},
       {"/post_processor/type", R"("Zip")",
        "tokenizer.json: post_processor.type: expected one of BertProcessing, ByteLevel, RobertaProcessing, Sequence, "
        "TemplateProcessing, found 'Zip'",
        kUnsupported},
       {"/pre_tokenizer", R"({"type": "Punctuation", "behavior": "Kept"})",
        "tokenizer.json: pre_tokenizer.behavior: expected one of Removed, Isolated, MergedWithPrevious, "
        "MergedWithNext, "
        "Contiguous, found 'Kept'",
        kUnsupported},
       {"/pre_tokenizer", R"({"type": "Metaspace", "replacement": "_", "prepend_scheme": "last"})",
        "tokenizer.json: pre_tokenizer.prepend_scheme: expected one of always, first, never, found 'last'",
        kUnsupported},
       {"/pre_tokenizer", R"({"type": "Split", "pattern": {"Glob": "*"}, "behavior": "Isolated", "invert": false})",
        "tokenizer.json: pre_tokenizer.pattern: expected String or Regex, found an object", kUnsupported}});
}

TEST(TokenizerJsonFile, WrongSectionsAreErrors) {
  expect_errors(
      small_file(),
      {{"/model", nullptr, "tokenizer.json: model: expected an object, found none"},
       {"/model", "7", "tokenizer.json: model: expected an object, found 7"},
       {"/model/type", "[]", "tokenizer.json: model.type: expected a string, found a list of 0"},
       {"/model/vocab", nullptr, "tokenizer.json: model.vocab: expected an object, found none"},
       {"/model/vocab", "[]", "tokenizer.json: model.vocab: expected an object, found a list of 0"},
       {"/model/vocab/a", "2", "tokenizer.json: model.vocab['b']: expected ids from 0 to 2, each once, found 2"},
       {"/model/vocab/a", "7", "tokenizer.json: model.vocab['a']: expected ids from 0 to 2, each once, found 7"},
       {"/model/vocab/a", "-1", "tokenizer.json: model.vocab['a']: expected ids from 0 to 2, each once, found -1"},
       {"/model/vocab/a", "4294967296",
        "tokenizer.json: model.vocab['a']: expected ids from 0 to 2, each once, found 4294967296"},
       {"/model/vocab/a", "0.5", "tokenizer.json: model.vocab['a']: expected ids from 0 to 2, each once, found 0.5"},
       {"/model/unk_token", nullptr, "tokenizer.json: model.unk_token: expected a string, found none"},
       {"/added_tokens", "{}", "tokenizer.json: added_tokens: expected an array, found an object"},
       {"/added_tokens/0", "7", "tokenizer.json: added_tokens[0]: expected an object, found 7"},
       {"/added_tokens/0/id", "2", "tokenizer.json: added_tokens[0].id: expected 3, found 2"},
       {"/added_tokens/0/id", "5000000000",
        "tokenizer.json: added_tokens[0].id: expected a number up to 2147483647, found "
        "5000000000"},
       {"/added_tokens/0/content", nullptr, "tokenizer.json: added_tokens[0].content: expected a string, found none"},
       {"/added_tokens/0/special", "1", "tokenizer.json: added_tokens[0].special: expected true or false, found 1"},
       {"/added_tokens/1", R"({"id": 3, "content": "<s>"})", "tokenizer.json: added_tokens[1].id: expected 4, found 3"},
       {"/added_tokens/1", R"({"id": 4, "content": "<s>"})",
        "tokenizer.json: added_tokens[1].content: expected a token that is not in the list already, found '<s>'"},
       {"/normalizer", "[]", "tokenizer.json: normalizer: expected an object, found a list of 0"},
       {"/normalizer/normalizers", "7", "tokenizer.json: normalizer.normalizers: expected an array, found 7"},
       {"/normalizer/normalizers/0", "null",
        "tokenizer.json: normalizer.normalizers[0]: expected an object, found null"},
       {"/normalizer", R"({"type": "Strip", "strip_left": true})",
        "tokenizer.json: normalizer.strip_right: expected true or false, found none"},
       {"/pre_tokenizer", R"({"type": "CharDelimiterSplit", "delimiter": "ab"})",
        "tokenizer.json: pre_tokenizer.delimiter: expected one character, found 'ab'"},
       {"/pre_tokenizer", R"({"type": "FixedLength", "length": 0})",
        "tokenizer.json: pre_tokenizer.length: expected at least 1, found 0"},
       {"/pre_tokenizer",
        R"({"type": "Metaspace", "replacement": "_", "add_prefix_space": false, "prepend_scheme": "always"})",
        "tokenizer.json: pre_tokenizer.add_prefix_space: expected true, as prepend_scheme is not never, found false"},
       {"/post_processor/sep", R"(["<s>", 4])",
        "tokenizer.json: post_processor.sep: expected a token and its id below 4, found a list of 2"},
       {"/post_processor", R"({"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "X", "type_id": 0}}],
        "pair": [], "special_tokens": {}})",
        "tokenizer.json: post_processor.special_tokens.X: expected an object, found none"}});
}

TEST(TokenizerJsonFile, WrongMergesAreErrors) {
  json file = small_file();
  file["model"] = bpe_model();
  EXPECT_EQ(error_of(file.dump()), "no error");
  expect_errors(
      file,
      {{"/model/merges", nullptr, "tokenizer.json: model.merges: expected an array, found none"},
       {"/model/merges/0", R"(["a", "c"])",
        R"(tokenizer.json: model.merges[0]: expected two tokens that make a third, found '["a","c"]')"},
       {"/model/merges/0", R"(["b", "a"])",
        R"(tokenizer.json: model.merges[0]: expected two tokens that make a third, found '["b","a"]')"},
       {"/model/merges/0", R"("a b c")",
        R"(tokenizer.json: model.merges[0]: expected two tokens that make a third, found '"a b c"')"},
       {"/model/merges/0", "7", "tokenizer.json: model.merges[0]: expected two tokens that make a third, found '7'"},
       {"/model/dropout", "0.1", "tokenizer.json: model.dropout: expected null, found 0.1", ErrorCode::unsupported},
       {"/model/fuse_unk", "7", "tokenizer.json: model.fuse_unk: expected true or false, found 7"}});
}

TEST(TokenizerJsonFile, PatternsThatCannotBeUsedAreErrors) {
  for (const char* pattern : {"(", "[a", "[a&&b]", "[a[bc]]", "a{2}+", "\\p{Nonesuch}", "(?<=a*)b", "\\Q", "(?s)a"}) {
    json file = small_file();
    file["pre_tokenizer"] = {
        {"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
    ErrorCode code = ErrorCode::internal;
    EXPECT_TRUE(error_of(file.dump(), &code).starts_with("tokenizer.json: pre_tokenizer.pattern.Regex: ")) << pattern;
    EXPECT_EQ(code, ErrorCode::unsupported) << pattern;
  }
}

TEST(TokenizerJsonFile, HostileTextsAreErrors) {
  const std::string deep(10'000'000, '[');
  for (const std::string& text : {std::string(), deep, R"({"model":)" + deep, std::string("nul"), std::string("[]"),
                                  std::string("{}"), std::string(R"({"model": {"type": "BPE", "type": "BPE"}})")}) {
    EXPECT_TRUE(error_of(text).starts_with("tokenizer.json: ")) << text.substr(0, 100);
  }
  json nested = small_file()["normalizer"];
  for (int i = 0; i < 100; ++i) nested = {{"type", "Sequence"}, {"normalizers", {nested}}};
  json file = small_file();
  file["normalizer"] = nested;
  EXPECT_TRUE(error_of(file.dump()).starts_with("tokenizer.json: "));
}

TEST(TokenizerJsonFile, DamagedFilesGiveErrorsOrWork) {
  Random random(31);
  json file = small_file();
  file["model"] = bpe_model();
  const std::string text = file.dump();
  size_t working = 0;
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (size_t change = 0; change <= random.number(3); ++change) {
      const size_t at = random.number(damaged.size());
      switch (random.number(3)) {
        case 0:
          damaged[at] = static_cast<char>(random.number(256));
          break;
        case 1:
          damaged.erase(at, 1 + random.number(20));
          break;
        default:
          damaged.insert(at, damaged.substr(random.number(damaged.size()), random.number(20)));
      }
    }
    try {
      const auto tokenizer = parse_tokenizer_json("damaged", damaged);
      tokenizer->decode(tokenizer->encode("Ab ba <s> x"));
      ++working;
    } catch (const Error& error) {
      EXPECT_NE(error.code(), ErrorCode::internal) << error.what();
    }
  }
  EXPECT_GT(working, 10U);
}

json byte_level_file() {
  json file = small_file();
  file["normalizer"] = nullptr;
  file["added_tokens"] = json::array();
  file["post_processor"] = nullptr;
  file["pre_tokenizer"] = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  file["decoder"] = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  return file;
}

TEST(TokenizerJsonFile, LongTextsTakeLinearTime) {
  json file = byte_level_file();
  file["model"] = bpe_model();
  for (const char* side : {"lstrip", "rstrip"}) {
    file["added_tokens"] = {{{"id", 3}, {"content", " "}, {side, true}, {"normalized", false}}};
    const auto spaces = parse_tokenizer_json("tokenizer.json", file.dump());
    EXPECT_EQ(spaces->encode(std::string(1'000'000, ' ')).size(), 1'000'000U);
  }
  const auto tokenizer = parse_tokenizer_json("tokenizer.json", file.dump());
  EXPECT_EQ(tokenizer->encode(std::string(5'000'000, 'a')).size(), 5'000'000U);
  file["model"] = {{"type", "WordPiece"},
                   {"unk_token", "b"},
                   {"continuing_subword_prefix", "##"},
                   {"max_input_chars_per_word", 1'000'000'000},
                   {"vocab", {{"a", 0}, {"b", 1}, {"##aa", 2}}}};
  file["pre_tokenizer"] = nullptr;
  file["normalizer"] = json::parse(R"({"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": true,
    "strip_right": true}, {"type": "Replace", "pattern": {"String": "b"}, "content": ""}]})");
  const auto pieces = parse_tokenizer_json("tokenizer.json", file.dump());
  EXPECT_EQ(pieces->encode(std::string(2'000'001, 'a')).size(), 1'000'001U);
  EXPECT_EQ(pieces->encode(std::string(2'000'000, 'a')), (Ids{1}));
  EXPECT_EQ(pieces->encode(std::string(2'000'000, 'b')), Ids{});
}

TEST(TokenizerJsonFile, AnExponentialPatternIsStopped) {
  json file = byte_level_file();
  file["model"] = bpe_model();
  file["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a|aa)+[bc]"}}}, {"behavior", "Isolated"}, {"invert", false}};
  const auto tokenizer = parse_tokenizer_json("tokenizer.json", file.dump());
  EXPECT_THROW(tokenizer->encode(std::string(100, 'a')), Error);
}

}  // namespace
}  // namespace kvzip
