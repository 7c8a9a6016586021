// Files that the commands read and write: documents, lists of questions, head scores, scores.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>

#include "kvzip/base/error.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/questions.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/model/safetensors.h"
#include "kvzip/model/safetensors_write.h"
#include "tests/test_paths.h"

namespace kvzip::cli {
namespace {

void write(const std::string& path, std::string_view text) { std::ofstream(path, std::ios::binary) << text; }

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ReadDocument, GivesTheBytesAsTheyAre) {
  const TempFolder folder;
  const std::string path = folder.file("doc.txt");
  std::string text(200'000, 'x');
  text[77] = '\0';
  text[78] = '\xFF';
  write(path, text);
  EXPECT_EQ(read_document(path), text);
}

TEST(ReadDocument, NamesWhatItCantRead) {
  const TempFolder folder;
  EXPECT_NE(error_of([&] { read_document(folder.path()); }).find("found a folder"), std::string::npos);
  EXPECT_NE(error_of([&] { read_document(folder.file("none.txt")); }).find("none.txt: No such file"),
            std::string::npos);
  write(folder.file("long.txt"), std::string(1001, 'x'));
  EXPECT_NE(error_of([&] { read_document(folder.file("long.txt"), 1000); }).find("long.txt: expected at most"),
            std::string::npos);
  EXPECT_NE(error_of([&] { read_document("/dev/zero", 1 << 20); }).find("/dev/zero: expected at most 1.0 MiB"),
            std::string::npos);
}

TEST(ReadLines, LeavesOutBlankOnesAndSpaces) {
  const TempFolder folder;
  write(folder.file("q.txt"), "\n  Who?  \r\n\t\nWhen and\twhere?\n\nlast without newline");
  EXPECT_EQ(read_lines(folder.file("q.txt")),
            (std::vector<std::string>{"Who?", "When and\twhere?", "last without newline"}));
}

TEST(Questions, ComeFromArgumentsAndFiles) {
  const TempFolder folder;
  write(folder.file("q.txt"), "second\nthird\n");
  const auto questions = gather_questions({"doc.txt", {"first"}, folder.file("q.txt")});
  EXPECT_EQ(*questions, (std::vector<std::string>{"first", "second", "third"}));
  write(folder.file("empty.txt"), " \n\n");
  EXPECT_THROW(gather_questions({"doc.txt", {}, folder.file("empty.txt")}), Error);
  EXPECT_THROW(gather_questions({"doc.txt", {"  "}, ""}), Error);
  EXPECT_NE(error_of([] {
              gather_questions({"-", {}, ""});
            }).find("standard input holds the document"),
            std::string::npos);
}

TEST(RequireWritable, SaysBeforehandWhatCantBeWritten) {
  const TempFolder folder;
  EXPECT_NO_THROW(require_writable(folder.file("new.bin")));
  EXPECT_THROW(require_writable(folder.file("missing/new.bin")), Error);
  EXPECT_THROW(require_writable(folder.path()), Error);
  EXPECT_THROW(require_writable(""), Error);
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(HeadScoresFile, ComesBackAsItWas) {
  const TempFolder folder;
  const HeadScores scores{3, 2, {0.5F, 0, 1, 0.25F, 1e-30F, 0.125F}};
  save_head_scores(folder.file("h.safetensors"), scores);
  const HeadScores loaded = load_head_scores(folder.file("h.safetensors"));
  EXPECT_EQ(loaded.layers, 3U);
  EXPECT_EQ(loaded.kv_heads, 2U);
  EXPECT_EQ(loaded.values, scores.values);
}

TEST(HeadScoresFile, RefusesOtherFiles) {
  const TempFolder folder;
  const std::string path = folder.file("h.safetensors");
  const std::vector<float> values = {1, 2, 3, 4};
  const std::vector<uint8_t> bytes = {1, 2, 3, 4};
  const std::vector<float> wrong = {1, std::numeric_limits<float>::quiet_NaN()};
  const auto expect_error = [&](const NamedArray& array, const char* part) {
    write_safetensors(path, std::span(&array, 1));
    const std::string error = error_of([&] { load_head_scores(path); });
    EXPECT_NE(error.find(part), std::string::npos) << error;
    EXPECT_EQ(error.find(path), 0U) << error;
  };
  expect_error({"other", {2, 2}, std::span<const float>(values)}, "head_score");
  expect_error({"head_score", {4}, std::span<const float>(values)}, "found F32 [4]");
  expect_error({"head_score", {2, 2}, std::span<const uint8_t>(bytes)}, "found U8 [2, 2]");
  expect_error({"head_score", {1, 2}, std::span<const float>(wrong)}, "finite");
  write(path, "no safetensors at all");
  EXPECT_THROW(load_head_scores(path), Error);
}

TEST(ScoresFile, MarksTheBestPairsOfEachHead) {
  std::mt19937 random(11);
  const TempFolder folder;
  Scores scores(2, 3, 17);
  for (float& value : scores.values) value = static_cast<float>(random() % 6) / 8;  // many ties
  Keep keep{2, 3, 17, {}};
  for (size_t i = 0; i < 6; ++i) keep.rows.push_back(random() % 18);
  const std::string path = folder.file("s.safetensors");
  save_scores(path, scores, keep, {4, 9});
  const SafetensorsFile file = read_safetensors(path);
  EXPECT_EQ(file.at("score").shape, (std::vector<uint64_t>{2, 3, 17}));
  EXPECT_EQ(std::memcmp(file.at("score").data.data(), scores.values.data(), scores.values.size() * sizeof(float)), 0);
  float layers[2] = {};
  std::memcpy(layers, file.at("layer").data.data(), sizeof(layers));
  EXPECT_EQ(layers[1], 9);
  const auto valid = file.at("valid").data;
  ASSERT_EQ(valid.size(), scores.values.size());
  for (size_t i = 0; i < 6; ++i) {
    const auto row = scores.row(i / 3, i % 3);
    for (size_t p = 0; p < 17; ++p) {
      // By definition: kept if fewer than `keep` positions are better, or equal and earlier.
      size_t before = 0;
      for (size_t other = 0; other < 17; ++other)
        before += row[other] > row[p] || (row[other] == row[p] && other < p) ? 1 : 0;
      ASSERT_EQ(valid[i * 17 + p] == std::byte{1}, before < keep.rows[i]);
    }
  }
}

}  // namespace
}  // namespace kvzip::cli
