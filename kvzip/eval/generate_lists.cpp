// Generators of documents that are one long list.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "kvzip/eval/generators.h"
#include "kvzip/eval/haystack.h"

namespace kvzip {
namespace {

constexpr size_t kAsked = 4;

/// Made-up words, each another one.
class WordSupply {
 public:
  WordSupply(SeededRandom& random, size_t syllables) : random_(random), syllables_(syllables) {}
  std::string next() {
    // The longer the list, the longer its words may have to be.
    for (size_t tries = 0;; ++tries) {
      const std::string word = random_.made_up_word(syllables_ + tries / 16);
      if (used_.insert(word).second) return word;
    }
  }

 private:
  SeededRandom& random_;
  size_t syllables_;
  std::set<std::string> used_;
};

}  // namespace

EvalDocument generate_key_values(const GeneratorOptions& options) {
  SeededRandom random(options.seed, options.index);
  WordSupply words(random, 3);
  std::vector<std::pair<std::string, std::string>> pairs;
  const auto lines = lines_of(options.tokens, kAsked, options.count, [&](size_t /*index*/) {
    pairs.emplace_back(words.next(), random.digits(6));
    return fmt::format("{}: {}\n", pairs.back().first, pairs.back().second);
  });
  pairs.resize(lines.size());
  EvalDocument document{joined(lines), {}, {}, options.tokens};
  for (size_t i = 0; i < kAsked; ++i) {
    // One from each quarter, so that none is asked twice.
    const size_t begin = pairs.size() * i / kAsked;
    const auto& [key, value] = pairs[begin + random.below(pairs.size() * (i + 1) / kAsked - begin)];
    document.questions.push_back({fmt::format("What is the value of the key {}?", key), value, Metric::include});
  }
  return document;
}

EvalDocument generate_common_words(const GeneratorOptions& options) {
  constexpr size_t kCommon = 4;
  constexpr size_t kTimes = 5;  // as often as another word
  constexpr std::array<std::string_view, kCommon* 3> kWords = {"anchor", "basket", "candle", "garden",
                                                               "hammer", "ladder", "mirror", "needle",
                                                               "pepper", "rabbit", "saddle", "window"};
  SeededRandom random(options.seed, options.index);
  std::vector<std::string_view> common(kWords.begin(), kWords.end());
  random.shuffle(common);
  common.resize(kCommon);
  // Every third word is a common one; each made-up word comes in three places.
  WordSupply words(random, 2);
  std::vector<std::string> rare;
  size_t turn = 0;
  auto lines = lines_of(options.tokens, 5 * kTimes, options.count, [&](size_t index) {
    if (index % 3 == 0) return std::string(common[turn++ % kCommon]) + "\n";
    if (rare.size() < 3 || random.below(3) == 0) rare.push_back(words.next());
    return rare[rare.size() - 1 - random.below(std::min<size_t>(rare.size(), 3))] + "\n";
  });
  random.shuffle(lines);
  std::string answer;
  for (const std::string_view word : common) answer += (answer.empty() ? "" : ", ") + std::string(word);
  return {joined(lines),
          {{fmt::format("Which {} words are the most frequent ones in the list above?", kCommon), answer,
            Metric::include_all}},
          {},
          options.tokens};
}

EvalDocument generate_prefix_suffix(const GeneratorOptions& options) {
  constexpr size_t kLetters = 4;
  SeededRandom random(options.seed, options.index);
  WordSupply words(random, 5);
  std::set<std::string> ends;  // every word is the only one with its beginning and its end
  std::vector<std::string> all;
  const auto lines = lines_of(options.tokens, kAsked, options.count, [&](size_t /*index*/) {
    std::string word = words.next();
    while (!ends.insert(word.substr(0, kLetters) + word.substr(word.size() - kLetters)).second) word = words.next();
    all.push_back(word);
    return word + "\n";
  });
  all.resize(lines.size());
  EvalDocument document{joined(lines), {}, {}, options.tokens};
  for (size_t i = 0; i < kAsked; ++i) {
    const size_t begin = all.size() * i / kAsked;
    const std::string& word = all[begin + random.below(all.size() * (i + 1) / kAsked - begin)];
    document.questions.push_back({fmt::format(R"(Which word of the list begins with "{}" and ends with "{}"?)",
                                              word.substr(0, kLetters), word.substr(word.size() - kLetters)),
                                  word, Metric::include});
  }
  return document;
}

EvalDocument generate_math_find(const GeneratorOptions& options) {
  SeededRandom random(options.seed, options.index);
  std::vector<std::string> numbers;
  const auto lines = lines_of(options.tokens, 3, options.count, [&](size_t /*index*/) {
    numbers.push_back(random.digits(5));
    return numbers.back() + "\n";
  });
  numbers.resize(lines.size());
  const auto [smallest, largest] = std::minmax_element(numbers.begin(), numbers.end());
  return {joined(lines),
          {{"What is the largest number in the list above? Answer with the number only.", *largest, Metric::include},
           {"What is the smallest number in the list above? Answer with the number only.", *smallest, Metric::include}},
          {},
          options.tokens};
}

EvalDocument generate_many_shot(const GeneratorOptions& options) {
  constexpr size_t kClasses = 4;
  constexpr std::array<std::string_view, kClasses> kNames = {"river", "tool", "bird", "king"};
  SeededRandom random(options.seed, options.index);
  WordSupply words(random, 2);
  std::vector<std::string> endings = {"ong", "ith", "uxa", "elm", "ark", "osp"};
  random.shuffle(endings);
  size_t kind = 0;
  const auto example = [&] {
    kind = random.below(kClasses);
    const std::string word = words.next() + endings[kind];
    std::string text = fmt::format("What is a {}?\n", word);
    for (size_t i = 0; i < kClasses; ++i) text += fmt::format("({}) {}\n", static_cast<char>('A' + i), kNames[i]);
    return text;
  };
  const auto answer = [&] { return fmt::format("({}) {}", static_cast<char>('A' + kind), kNames[kind]); };
  const auto lines = lines_of(options.tokens, 2 * kClasses, options.count, [&](size_t /*index*/) {
    const std::string text = example();
    return text + "Answer: " + answer() + "\n\n";
  });
  EvalDocument document{joined(lines), {}, {}, options.tokens};
  for (size_t i = 0; i < kAsked; ++i) {
    const std::string text = example();
    document.questions.push_back({text, answer(), Metric::many_shot});
  }
  return document;
}

}  // namespace kvzip
