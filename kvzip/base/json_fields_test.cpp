#include "kvzip/base/json_fields.h"

#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>

namespace kvzip {
namespace {

const nlohmann::json kDocument = nlohmann::json::parse(
    R"({"yes":true,"n":7,"minus":-1,"half":0.5,"text":"t","none":null,"list":["a","b"],"mixed":["a",1],
        "inner":{"deep":{"n":"seven"}},"big":18446744073709551615})");

void expect_error(const std::string& message, const std::function<void(const JsonFields&)>& read) {
  try {
    read(JsonFields("f.json", kDocument));
    FAIL() << "expected: " << message;
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "f.json: " + message);
    EXPECT_EQ(error.code(), ErrorCode::input);
  }
}

TEST(JsonFields, ReadsEveryKind) {
  const JsonFields fields("f.json", kDocument);
  EXPECT_EQ(fields.find_bool("yes"), true);
  EXPECT_EQ(fields.find_uint("n"), 7U);
  EXPECT_EQ(fields.find_uint("big"), ~uint64_t{0});
  EXPECT_EQ(fields.find_number("n"), 7.0);
  EXPECT_EQ(fields.find_number("minus"), -1.0);
  EXPECT_EQ(fields.find_number("half"), 0.5);
  EXPECT_EQ(fields.find_string("text"), "t");
  EXPECT_EQ(fields.find_strings("list"), (std::vector<std::string_view>{"a", "b"}));
  EXPECT_TRUE(fields.find_object("inner")->find_object("deep")->has("n"));
  EXPECT_EQ(fields.uint_or("n", 1, 7, 7), 7U);
  EXPECT_EQ(fields.uint_or("absent", 3, 1, 9), 3U);
  EXPECT_EQ(fields.positive_or("half", 2), 0.5);
  EXPECT_EQ(fields.positive_or("absent", 2), 2);
}

TEST(JsonFields, NullIsAbsent) {
  const JsonFields fields("f.json", kDocument);
  EXPECT_TRUE(fields.is_null("none"));
  EXPECT_FALSE(fields.is_null("absent"));
  EXPECT_FALSE(fields.is_null("n"));
  for (const char* key : {"none", "absent"}) {
    EXPECT_FALSE(fields.has(key));
    EXPECT_FALSE(fields.find_bool(key));
    EXPECT_FALSE(fields.find_uint(key));
    EXPECT_FALSE(fields.find_number(key));
    EXPECT_FALSE(fields.find_string(key));
    EXPECT_FALSE(fields.find_strings(key));
    EXPECT_FALSE(fields.find_object(key));
  }
}

TEST(JsonFields, NamesWhatIsWrong) {
  expect_error("n: expected true or false, found 7", [](const JsonFields& f) { f.find_bool("n"); });
  expect_error("minus: expected a whole number of at least 0, found -1",
               [](const JsonFields& f) { f.find_uint("minus"); });
  expect_error("half: expected a whole number of at least 0, found 0.5",
               [](const JsonFields& f) { f.find_uint("half"); });
  expect_error("text: expected a number, found 't'", [](const JsonFields& f) { f.find_number("text"); });
  expect_error("list: expected a text, found a list of 2", [](const JsonFields& f) { f.find_string("list"); });
  expect_error("mixed: expected a list of texts, found a list of 2",
               [](const JsonFields& f) { f.find_strings("mixed"); });
  expect_error("'text': expected a JSON object, found 't'", [](const JsonFields& f) { f.find_object("text"); });
  expect_error("inner.deep.n: expected a number, found 'seven'",
               [](const JsonFields& f) { f.find_object("inner")->find_object("deep")->find_number("n"); });
  expect_error("n: expected 8 to 9, found 7", [](const JsonFields& f) { f.uint_or("n", 8, 8, 9); });
  expect_error("absent: expected 1 to 9, found none", [](const JsonFields& f) { f.uint_or("absent", 0, 1, 9); });
  expect_error("minus: expected a positive number, found -1", [](const JsonFields& f) { f.positive_or("minus", 1); });
}

TEST(JsonFields, TheTopMustBeAnObject) {
  const nlohmann::json list = nlohmann::json::array();
  try {
    const JsonFields fields("f.json", list);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "f.json: the whole of it: expected a JSON object, found a list of 0");
  }
}

}  // namespace
}  // namespace kvzip
