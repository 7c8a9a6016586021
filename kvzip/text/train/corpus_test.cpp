#include "kvzip/text/train/corpus.h"

#include <gtest/gtest.h>

#include <map>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using Visit = std::function<void(std::string_view)>;

void whole_lines(std::string_view line, const Visit& visit) { visit(line); }

std::map<std::string, uint64_t> lines_of(const std::vector<TrainingText>& texts, size_t threads) {
  set_thread_count(threads);
  const WordCounts counts = count_words(texts, whole_lines, {});
  set_thread_count(0);
  std::map<std::string, uint64_t> map;
  for (size_t i = 0; i < counts.size(); ++i) map[std::string(counts[i].text)] = counts[i].count;
  return map;
}

std::string error_of(const std::vector<TrainingText>& texts) {
  try {
    count_words(texts, whole_lines, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Corpus, LinesKeepTheirEnds) {
  const std::map<std::string, uint64_t> expected = {{"a\n", 2}, {"\n", 1}, {"b\r\n", 1}, {"c\rd", 1}};
  EXPECT_EQ(lines_of({{"one", "a\n\nb\r\na\nc\rd"}}, 1), expected);
}

TEST(Corpus, ALineEndsWithItsText) {
  const std::map<std::string, uint64_t> expected = {{"a", 2}, {"b\n", 1}};
  EXPECT_EQ(lines_of({{"one", "a"}, {"none", ""}, {"two", "a"}, {"three", "b\n"}}, 3), expected);
}

// Several chunks of 1 MiB, with lines that are longer than a chunk among them.
TEST(Corpus, TheSameForAnyNumberOfThreads) {
  Random random(1);
  std::string text;
  for (int i = 0; i < 60'000; ++i) text += random.of("ab ", random.number(120)) + "\n";
  text += std::string(3'000'000, 'x') + "\n\n" + random.utf8(700'000) + "y";
  std::map<std::string, uint64_t> by_hand;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size() - 1) + 1;
    ++by_hand[text.substr(begin, end - begin)];
    begin = end;
  }
  for (const size_t threads : {1U, 2U, 5U}) EXPECT_TRUE(lines_of({{"text", text}}, threads) == by_hand) << threads;
}

TEST(Corpus, InvalidTextIsNamedWithItsPlace) {
  std::string text(3'000'000, '\n');
  text[2'500'000] = '\xFF';
  EXPECT_EQ(error_of({{"good.txt", "a"}, {"bad.txt", text}}),
            "bad.txt: expected UTF-8 text, found the byte 0xff at offset 2500000");
  EXPECT_EQ(error_of({{"cut.txt", "ab\xE2\x82"}}), "cut.txt: expected UTF-8 text, found the byte 0xe2 at offset 2");
}

TEST(Corpus, ErrorsOfTheSplitterComeThrough) {
  const std::string text(2'000'000, '\n');
  const std::vector<TrainingText> texts = {{"text", text}};
  const auto fail = [](std::string_view, const Visit&) { throw Error(ErrorCode::input, "no such word"); };
  EXPECT_THROW(count_words(texts, fail, {}), Error);
}

TEST(Corpus, ProgressEndsWithAllBytesAndCanCancel) {
  const std::string text(5'000'000, '\n');
  const std::vector<TrainingText> texts = {{"text", text}};
  size_t done = 0;
  count_words(texts, whole_lines, [&](const Progress& progress) {
    EXPECT_EQ(progress.total, text.size());
    EXPECT_GE(progress.done, done);
    done = progress.done;
    return true;
  });
  EXPECT_EQ(done, text.size());
  try {
    count_words(texts, whole_lines, [](const Progress&) { return false; });
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
}

}  // namespace
}  // namespace kvzip
