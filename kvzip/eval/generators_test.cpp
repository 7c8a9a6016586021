#include "kvzip/eval/generators.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <regex>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/eval/normalize.h"
#include "kvzip/eval/task.h"

namespace kvzip {
namespace {

/// As tokenizers do, more tokens for longer words; what the generators must not rely on being exact.
size_t count_tokens(std::string_view text) { return text.size() / 4 + 1; }

EvalDocument make(Generate generate, size_t tokens, size_t index, uint64_t seed = 1) {
  return generate({.tokens = tokens, .seed = seed, .index = index, .count = count_tokens});
}

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  for (const std::string_view word : split_words(text)) words.emplace_back(word);
  return words;
}

std::set<std::string> parts_of(const std::string& answer) {
  std::set<std::string> parts;
  std::string rest = answer + ", ";
  for (size_t at = 0; (at = rest.find(", ")) != std::string::npos; rest.erase(0, at + 2))
    parts.insert(rest.substr(0, at));
  return parts;
}

TEST(Generators, SeedAndNumberDecideAndTheLengthIsWhatWasAskedFor) {
  for (const Task& task : tasks()) {
    if (task.generate == nullptr) continue;
    SCOPED_TRACE(task.name);
    for (const size_t tokens : {700, 1500, 4000}) {
      const EvalDocument document = make(task.generate, tokens, 3);
      EXPECT_EQ(document.context, make(task.generate, tokens, 3).context);
      EXPECT_NE(document.context, make(task.generate, tokens, 4).context);
      EXPECT_NE(document.context, make(task.generate, tokens, 3, 2).context);
      EXPECT_LE(count_tokens(document.context), tokens);
      EXPECT_GE(count_tokens(document.context), tokens * 7 / 10);  // short lines count for more by themselves
      EXPECT_EQ(document.target_tokens, tokens);
      ASSERT_FALSE(document.questions.empty());
      for (const EvalQuestion& question : document.questions) {
        EXPECT_FALSE(strip_text(question.answer).empty());
        EXPECT_EQ(grade(question.metric, question.answer, question.answer), 1) << question.answer;
        EXPECT_EQ(grade(question.metric, "I don't know", question.answer), 0) << question.answer;
      }
    }
    EXPECT_THROW(make(task.generate, 5, 0), Error);
  }
}

TEST(Generators, NeedlesLieWhereTheyShould) {
  for (size_t index = 0; index < 13; ++index) {
    const EvalDocument document = make(generate_needle, 1200, index);
    const std::string& answer = document.questions.at(0).answer;
    const size_t at = document.context.find(answer);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(document.context.find(answer, at + 1), std::string::npos) << "there is one needle";
    EXPECT_NEAR(document.depth.value(), static_cast<double>(index % 11) / 10, 1e-9);
    EXPECT_NEAR(static_cast<double>(at) / static_cast<double>(document.context.size()), document.depth.value(), 0.06);
    EXPECT_NE(document.questions.at(0).text.find("registration number of"), std::string::npos);
  }
}

TEST(Generators, EveryKeyHasItsNumberInTheText) {
  const EvalDocument keys = make(generate_needle_multi_key, 1500, 2);
  EXPECT_EQ(keys.questions.size(), 4U);
  for (const EvalQuestion& question : keys.questions) {
    const std::string town = words_of(question.text).back();
    EXPECT_NE(keys.context.find("of " + town.substr(0, town.size() - 1) + " is " + question.answer), std::string::npos);
  }
  const EvalDocument values = make(generate_needle_multi_value, 1500, 2);
  EXPECT_EQ(parts_of(values.questions.at(0).answer).size(), 4U);
  EXPECT_EQ(grade(Metric::include_all, values.context, values.questions.at(0).answer), 1);
}

TEST(Generators, VariablesAreThoseThatAPlainWalkFinds) {
  const EvalDocument document = make(generate_variables, 1500, 7);
  std::map<std::string, std::string> value;
  const std::regex assignment("VAR ([A-Z]{4}) = (?:VAR )?([A-Z0-9]+)\\.");
  for (std::sregex_iterator it(document.context.begin(), document.context.end(), assignment), end; it != end; ++it) {
    const std::string from = (*it)[2];
    value[(*it)[1]] = value.count(from) > 0 ? value[from] : from;
  }
  EXPECT_EQ(value.size(), 8U);
  std::smatch asked;
  ASSERT_TRUE(std::regex_search(document.questions.at(0).text, asked, std::regex("value ([0-9]+)")));
  std::set<std::string> expected;
  for (const auto& [name, number] : value) {
    if (number == asked[1]) expected.insert(name);
  }
  EXPECT_EQ(parts_of(document.questions.at(0).answer), expected);
}

TEST(Generators, ListsHaveOneAnswer) {
  const EvalDocument pairs = make(generate_key_values, 1500, 1);
  for (const EvalQuestion& question : pairs.questions) {
    const std::string key = words_of(question.text).back();
    const std::string line = key.substr(0, key.size() - 1) + ": ";
    const size_t at = pairs.context.find(line);
    ASSERT_NE(at, std::string::npos);
    EXPECT_EQ(pairs.context.find(line, at + 1), std::string::npos);
    EXPECT_EQ(pairs.context.substr(at + line.size(), question.answer.size()), question.answer);
  }
  const EvalDocument ends = make(generate_prefix_suffix, 1500, 1);
  for (const EvalQuestion& question : ends.questions) {
    std::smatch parts;
    ASSERT_TRUE(std::regex_search(question.text, parts, std::regex("\"(.+)\" and ends with \"(.+)\"")));
    std::vector<std::string> found;
    for (const std::string& word : words_of(ends.context)) {
      if (word.starts_with(parts[1].str()) && word.ends_with(parts[2].str())) found.push_back(word);
    }
    EXPECT_EQ(found, std::vector<std::string>{question.answer});
  }
  const EvalDocument numbers = make(generate_math_find, 1500, 1);
  const std::vector<std::string> all = words_of(numbers.context);
  EXPECT_EQ(numbers.questions.at(0).answer, *std::max_element(all.begin(), all.end()));
  EXPECT_EQ(numbers.questions.at(1).answer, *std::min_element(all.begin(), all.end()));
}

TEST(Generators, CommonWordsAreFarAhead) {
  const EvalDocument document = make(generate_common_words, 2000, 5);
  std::map<std::string, size_t> times;
  for (const std::string& word : words_of(document.context)) ++times[word];
  const std::set<std::string> common = parts_of(document.questions.at(0).answer);
  size_t least = SIZE_MAX;
  size_t most = 0;
  for (const auto& [word, count] : times) {
    if (common.contains(word)) {
      least = std::min(least, count);
    } else {
      most = std::max(most, count);
    }
  }
  EXPECT_EQ(common.size(), 4U);
  EXPECT_GE(least, 2 * most);
}

TEST(Generators, ManyShotExamplesFollowTheRuleThatIsAskedFor) {
  const EvalDocument document = make(generate_many_shot, 2000, 5);
  std::map<std::string, std::string> kind;  // by ending
  const std::regex example("What is a ([a-z]+)\\?\n(?:\\([A-D]\\) .*\n){4}Answer: (.*)\n");
  const std::string text = document.context + "\n";
  for (std::sregex_iterator it(text.begin(), text.end(), example), end; it != end; ++it) {
    const std::string word = (*it)[1];
    const std::string answer = (*it)[2];
    EXPECT_EQ(kind.try_emplace(word.substr(word.size() - 3), answer).first->second, answer);
  }
  EXPECT_EQ(kind.size(), 4U);
  for (const EvalQuestion& question : document.questions) {
    std::smatch word;
    ASSERT_TRUE(std::regex_search(question.text, word, std::regex("What is a ([a-z]+)")));
    const std::string asked = word[1];
    EXPECT_EQ(kind[asked.substr(asked.size() - 3)], question.answer);
    EXPECT_EQ(document.context.find("a " + asked + "?"), std::string::npos) << "not among the examples";
  }
}

}  // namespace
}  // namespace kvzip
