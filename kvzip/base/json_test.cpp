#include "kvzip/base/json.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

void expect_error(const std::string& text, const std::string& message, const JsonLimits& limits = {}) {
  try {
    parse_json("f.json", text, limits);
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_EQ(std::string(error.what()).find("f.json: " + message), 0U) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    EXPECT_LT(std::string(error.what()).size(), 600U);
  }
}

TEST(Json, ReadsWhatTheLibraryReads) {
  for (const char* text :
       {"null", "true", " [ ] ", "{}", "-7", "18446744073709551615", "1.5e-3", R"("a\u00e9\n\"")",
        "[[],[{}],[[1,2],3]]", R"({"a":{"b":[1,{"c":[]},"[{"],"d":null},"":"","e":[{"f":1},{"f":2}]})",
        R"(["\\","\\\"[",{"x":"]"}])", "\xEF\xBB\xBF{\"bom\":1}"}) {
    EXPECT_EQ(parse_json("f.json", text), nlohmann::json::parse(text)) << text;
  }
}

TEST(Json, KeepsTheKindsOfNumbers) {
  const nlohmann::json numbers = parse_json("f.json", "[1, -1, 1.0, 1e3]");
  EXPECT_TRUE(numbers[0].is_number_unsigned());
  EXPECT_TRUE(numbers[1].is_number_integer());
  EXPECT_FALSE(numbers[1].is_number_unsigned());
  EXPECT_TRUE(numbers[2].is_number_float());
  EXPECT_TRUE(numbers[3].is_number_float());
}

TEST(Json, NamesTheByteThatIsWrong) {
  expect_error("", "byte 1: expected JSON, found ''");
  expect_error("{\"a\":}", "byte 6: expected JSON, found ");
  expect_error("[1,2", "byte 5: expected JSON");
  expect_error("{} x", "byte 4: expected JSON, found '{} x'");
  expect_error("[NaN]", "byte 2: expected JSON");
  expect_error("[1e999]", "byte 6: expected JSON, found '1e999'");
  expect_error("[\"\xff\"]", "byte 3: expected JSON");
  expect_error("[\"a\nb\"]", "byte 4: expected JSON");
  expect_error(std::string("[\0]", 3), "byte 2: expected JSON");
  expect_error("\"" + std::string(100000, 'x'), "byte 100002: expected JSON");
}

TEST(Json, RefusesAKeyTwiceInOneObjectOnly) {
  expect_error(R"({"a":1,"b":2,"a":1})", "key 'a': expected once in its object, found a second one");
  expect_error(R"([{"x":{"k\n":1,"k\n":[2]}}])", "key 'k\\x0a': expected once");
  EXPECT_EQ(parse_json("f.json", R"([{"a":1},{"a":{"a":2}}])").size(), 2U);
}

TEST(Json, BoundsNestingAndSizeBeforeBuilding) {
  expect_error(std::string(10'000'000, '['), "byte 64: expected at most 64 objects and arrays inside each other",
               {.bytes = 100'000'000});
  std::string objects;
  for (int i = 0; i < 1'000'000; ++i) objects += "{\"a\":";
  expect_error(objects, "byte 320: expected at most 64", {.bytes = 100'000'000});
  expect_error(std::string(10'000'000, '['), "expected a JSON file of at most 1048576 bytes, found 10000000");
  const std::string deepest = std::string(64, '[') + std::string(64, ']');
  EXPECT_EQ(parse_json("f.json", deepest).dump(), deepest);
  expect_error("[" + deepest + "]", "byte 64: expected at most 64");
  EXPECT_EQ(parse_json("f.json", R"(["[[[[", "\\", "\"[[[["])", {.depth = 1}).size(), 3U);  // brackets in strings
}

TEST(Json, ManySiblingsAreNotDeep) {
  std::string text = "[[]";
  for (int i = 0; i < 100'000; ++i) text += ",{\"a\":[]}";
  EXPECT_EQ(parse_json("f.json", text + "]").size(), 100'001U);
}

TEST(Json, ReadsFiles) {
  const TempFolder folder;
  std::ofstream(folder.file("a.json")) << R"({"a":[1]})";
  EXPECT_EQ(read_json(folder.file("a.json"))["a"][0], 1);
  EXPECT_THROW(read_json(folder.file("none.json")), Error);
  EXPECT_THROW(read_json(folder.path()), Error);
}

TEST(Json, ShowsValuesInShort) {
  EXPECT_EQ(shown(nullptr), "none");
  for (const auto& [text, expected] : {std::pair{"7", "7"},
                                       {"null", "null"},
                                       {"\"a\\nb\"", "'a\\x0ab'"},
                                       {"{\"a\": 1}", "an object"},
                                       {"[1, 2]", "a list of 2"}}) {
    const nlohmann::json value = parse_json("x", text);
    EXPECT_EQ(shown(&value), expected);
  }
}

}  // namespace
}  // namespace kvzip
