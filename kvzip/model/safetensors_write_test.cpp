#include "kvzip/model/safetensors_write.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/model/safetensors.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

TEST(SafetensorsWrite, HalvesAndMetadata) {
  const TempFolder folder;
  const std::string path = folder.file("gate.safetensors");
  const std::vector<uint16_t> halves = {0x3c00, 0x8000, 0x7bff};
  const std::vector<float> floats = {1, 2};
  const std::map<std::string, std::string> metadata = {{"format", "a \"b\""}, {"empty", ""}};
  write_safetensors(path, std::vector<NamedArray>{{"a", {3}, std::span(halves)}, {"b", {2}, std::span(floats)}},
                    metadata);
  const SafetensorsFile file = read_safetensors(path);
  EXPECT_EQ(file.metadata, metadata);
  EXPECT_EQ(file.at("a").dtype, "F16");
  ASSERT_EQ(file.at("a").data.size(), 6U);
  EXPECT_EQ(std::memcmp(file.at("a").data.data(), halves.data(), 6), 0);
  EXPECT_EQ(std::memcmp(file.at("b").data.data(), floats.data(), 8), 0);
}

TEST(SafetensorsWrite, RoundTrip) {
  const TempFolder folder;
  const std::string path = folder.file("scores.safetensors");
  const std::vector<float> scores = {0.25F, -0.F, 1e-40F, std::numeric_limits<float>::infinity(), 5, 6};
  const std::vector<uint8_t> kept = {1, 0, 255};
  const std::vector<NamedArray> arrays = {{"kept", {3}, std::span(kept)},
                                          {"score", {1, 2, 3}, std::span(scores)},
                                          {"empty", {4, 0}, std::span<const float>()},
                                          {"name \"quoted\" \xc3\xa4", {}, std::span(scores).first(1)}};
  write_safetensors(path, arrays);
  const SafetensorsFile file = read_safetensors(path);
  EXPECT_EQ(file.arrays.size(), 4U);
  EXPECT_EQ(file.at("score").dtype, "F32");
  EXPECT_EQ(file.at("score").shape, (std::vector<uint64_t>{1, 2, 3}));
  ASSERT_EQ(file.at("score").data.size(), 24U);
  EXPECT_EQ(std::memcmp(file.at("score").data.data(), scores.data(), 24), 0);
  EXPECT_EQ(file.at("kept").dtype, "U8");
  EXPECT_EQ(std::memcmp(file.at("kept").data.data(), kept.data(), 3), 0);
  EXPECT_EQ(file.at("empty").shape, (std::vector<uint64_t>{4, 0}));
  EXPECT_TRUE(file.at("name \"quoted\" \xc3\xa4").shape.empty());
  for (const auto& [name, array] : file.arrays) {
    const bool aligned = reinterpret_cast<uintptr_t>(array.data.data()) % sizeof(float) == 0;
    EXPECT_TRUE(aligned || array.dtype == "U8") << name;
  }
  try {
    file.at("absent");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), path + ": field 'absent': expected an array of that name, found none");
  }
}

/// The bytes themselves, taken apart by hand.
TEST(SafetensorsWrite, Layout) {
  const TempFolder folder;
  const std::string path = folder.file("x");
  const std::vector<uint8_t> bytes = {7, 8, 9};
  write_safetensors(path, std::vector<NamedArray>{{"b", {3}, std::span(bytes)}});
  std::ifstream in(path, std::ios::binary);
  const std::string file{std::istreambuf_iterator<char>(in), {}};
  uint64_t length = 0;
  ASSERT_GT(file.size(), sizeof(length));
  std::memcpy(&length, file.data(), sizeof(length));
  EXPECT_EQ(length % 8, 0U);
  ASSERT_EQ(file.size(), 8 + length + 3);
  EXPECT_EQ(file.substr(8 + length), "\x07\x08\x09");
  const auto header = nlohmann::json::parse(file.substr(8, length));
  EXPECT_EQ(header, nlohmann::json::parse(R"({"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})"));
}

TEST(SafetensorsWrite, MistakesOfOursAreFound) {
  const TempFolder folder;
  const std::vector<float> values(6);
  const std::span<const float> all(values);
  const auto write = [&](std::vector<NamedArray> arrays) { write_safetensors(folder.file("x"), arrays); };
  EXPECT_THROW(write({{"a", {5}, all}}), Error);
  EXPECT_THROW(write({{"a", {6}, all}, {"a", {6}, all}}), Error);
  EXPECT_EQ(folder.entries(), 0U);
}

}  // namespace
}  // namespace kvzip
