// The trainer against a plain restatement of what the package `tokenizers` does, on random corpora that provoke ties,
// overlaps, tokens that can be made in two ways and tokens that would be too long. Equality with the package itself:
// tests/tokenizers/training_test.py.
#include "kvzip/text/train/bpe_trainer.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/text/test_text.h"

namespace kvzip {
namespace {

using Pair = std::pair<TokenId, TokenId>;
using Word = std::vector<TokenId>;

/// Words as lists, counts in a map, candidates in a list that is searched: all by the letter.
class PlainTrainer {
 public:
  PlainTrainer(const WordCounts& words, const BpeTrainingOptions& options) : options_(options) {
    add_alphabet(words, options, tokens_);
    for (size_t i = 0; i < words.size(); ++i) {
      Word word;
      std::vector<size_t> lengths;
      for (const char letter : words[i].text) {
        const std::string spelling = (word.empty() ? "" : options.continuing_subword_prefix) + std::string(1, letter);
        word.push_back(*tokens_.find(spelling));
        lengths.push_back(1);
      }
      words_.push_back({word, lengths, static_cast<int64_t>(words[i].count)});
    }
  }

  std::vector<Pair> train() {
    std::map<Pair, std::set<size_t>> where;
    for (size_t w = 0; w < words_.size(); ++w) {
      for (size_t i = 0; i + 1 < words_[w].tokens.size(); ++i) {
        const Pair pair{words_[w].tokens[i], words_[w].tokens[i + 1]};
        counts_[pair] += words_[w].count;
        where[pair].insert(w);
      }
    }
    offer(where);
    std::vector<Pair> merges;
    while (tokens_.size() < options_.vocab_size && !candidates_.empty()) {
      const auto best = std::max_element(candidates_.begin(), candidates_.end(), [](const auto& a, const auto& b) {
        return a.count != b.count ? a.count < b.count : a.pair > b.pair;
      });
      const auto true_count = static_cast<uint64_t>(counts_[best->pair]);
      if (best->count != true_count) {
        best->count = true_count;
        continue;
      }
      if (best->count < std::max<uint64_t>(options_.min_frequency, 1)) break;
      const Candidate chosen = *best;
      candidates_.erase(best);
      std::erase(merges, chosen.pair);
      merges.push_back(chosen.pair);
      merge(chosen);
    }
    return merges;
  }

  const GrowingVocabulary& tokens() const { return tokens_; }
  uint64_t corpus_tokens() const {
    uint64_t sum = 0;
    for (const auto& word : words_) sum += word.tokens.size() * static_cast<uint64_t>(word.count);
    return sum;
  }

 private:
  struct Counted {
    Word tokens;
    std::vector<size_t> lengths;
    int64_t count;
  };
  struct Candidate {
    uint64_t count;
    Pair pair;
    std::set<size_t> words;
  };

  void offer(const std::map<Pair, std::set<size_t>>& where) {
    for (const auto& [pair, words] : where) {
      if (counts_[pair] > 0) candidates_.push_back({static_cast<uint64_t>(counts_[pair]), pair, words});
    }
  }

  void merge(const Candidate& chosen) {
    const auto [left, right] = chosen.pair;
    const std::string tail = tokens_[right];
    const std::string& prefix = options_.continuing_subword_prefix;
    const TokenId token = tokens_.add(tokens_[left] + tail.substr(tail.starts_with(prefix) ? prefix.size() : 0));
    const size_t limit = options_.max_token_length.value_or(size_t{1} << 40U);
    std::map<Pair, std::set<size_t>> where;
    for (const size_t w : chosen.words) {
      auto& [tokens, lengths, count] = words_[w];
      const auto appear = [&, number = count](TokenId a, TokenId b, size_t length) {
        if (length >= limit) return;
        counts_[{a, b}] += number;
        where[{a, b}].insert(w);
      };
      for (size_t i = 0; i + 1 < tokens.size(); ++i) {
        if (tokens[i] != left || tokens[i + 1] != right) continue;
        tokens[i] = token;
        lengths[i] += lengths[i + 1];
        tokens.erase(tokens.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        lengths.erase(lengths.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        if (i > 0) {
          counts_[{tokens[i - 1], left}] -= count;
          appear(tokens[i - 1], token, lengths[i - 1] + lengths[i]);
        }
        if (i + 1 < tokens.size()) {
          counts_[{right, tokens[i + 1]}] -= count;
          appear(token, tokens[i + 1], lengths[i] + lengths[i + 1]);
        }
      }
    }
    offer(where);
  }

  BpeTrainingOptions options_;
  GrowingVocabulary tokens_;
  std::vector<Counted> words_;
  std::map<Pair, int64_t> counts_;
  std::vector<Candidate> candidates_;
};

void expect_equal(const WordCounts& words, const BpeTrainingOptions& options) {
  PlainTrainer plain(words, options);
  const std::vector<Pair> merges = plain.train();
  const TrainedBpe trained = train_bpe(words, options, {});
  EXPECT_EQ(trained.merges, merges);
  ASSERT_EQ(trained.tokens.size(), plain.tokens().size());
  for (size_t id = 0; id < trained.tokens.size(); ++id)
    EXPECT_EQ(trained.tokens[id], plain.tokens()[static_cast<TokenId>(id)]);
  EXPECT_EQ(trained.corpus_tokens, plain.corpus_tokens());
}

WordCounts random_words(Random& random, std::string_view alphabet, size_t words, size_t longest) {
  WordCounts counts;
  for (size_t i = 0; i < words; ++i) counts.add(random.of(alphabet, 1 + random.number(longest)), 1 + random.number(4));
  return counts;
}

TEST(BpeTrainer, LearnsWhatAPlainTrainerLearns) {
  Random random(1);
  size_t merges = 0;
  for (int round = 0; round < 150; ++round) {
    const std::string_view alphabet = std::string_view("abcdefgh").substr(0, 1 + random.number(8));
    const WordCounts words = random_words(random, alphabet, 1 + random.number(80), 1 + random.number(30));
    BpeTrainingOptions options{.vocab_size = 10 + random.number(400), .min_frequency = random.number(4)};
    if (round % 3 == 0) options.max_token_length = 2 + random.number(8);
    if (round % 4 == 0) options.continuing_subword_prefix = "##";
    if (round % 5 == 0) options.special_tokens = {"a", "ab", "<s>", "ba"};
    expect_equal(words, options);
    if (HasFailure()) FAIL() << "round " << round;
    merges += train_bpe(words, options, {}).merges.size();
  }
  EXPECT_GT(merges, 5000U);
}

TEST(BpeTrainer, LongWordsAreNoDifferent) {
  Random random(2);
  for (const std::string_view alphabet : {"a", "ab", "aaab", "abcd"}) {
    WordCounts words;
    words.add(random.of(alphabet, 3000));
    words.add(random.of(alphabet, 2000), 2);
    expect_equal(words, {.vocab_size = 300});
  }
}

// A million letters in one word: quadratic work would take hours.
TEST(BpeTrainer, AVeryLongWordIsNearLinear) {
  Random random(3);
  WordCounts words;
  words.add(std::string(1'000'000, 'a'));
  words.add(random.of("abcdefghijklmnop", 1'000'000));
  const TrainedBpe trained = train_bpe(words, {.vocab_size = 3000}, {});
  EXPECT_EQ(trained.tokens.size(), 3000U);
  EXPECT_EQ(trained.tokens[16], "aa");
}

TEST(BpeTrainer, CharactersComeInTheOrderOfTheirCodePoints) {
  WordCounts words;
  words.add("zé€a");
  words.add("😀", 5);
  EXPECT_EQ(train_bpe(words, {.vocab_size = 5, .special_tokens = {"<s>", "z"}}, {}).tokens,
            (std::vector<std::string>{"<s>", "z", "a", "é", "€", "😀"}));
  BpeTrainingOptions few{.vocab_size = 2, .limit_alphabet = 2};
  EXPECT_EQ(train_bpe(words, few, {}).tokens, (std::vector<std::string>{"a", "😀"}));
  few.initial_alphabet = U"xy";
  EXPECT_EQ(train_bpe(words, few, {}).tokens, (std::vector<std::string>{"x", "y"}));
}

TEST(BpeTrainer, BytesAreSpelledInTheByteAlphabet) {
  WordCounts words;
  words.add(" \xC3\xA9", 3);
  const TrainedBpe trained =
      train_bpe(words, {.vocab_size = 300, .initial_alphabet = byte_level_alphabet(), .byte_level = true}, {});
  ASSERT_EQ(trained.tokens.size(), 258U);
  EXPECT_EQ(trained.tokens[0], "!");
  EXPECT_EQ(trained.tokens[257], "ĠÃ©");
  EXPECT_EQ(trained.corpus_tokens, 3U);
}

TEST(BpeTrainer, PrefixAndSuffixMarkThePlaceInAWord) {
  WordCounts words;
  words.add("aba", 2);
  const TrainedBpe trained =
      train_bpe(words, {.vocab_size = 9, .continuing_subword_prefix = "##", .end_of_word_suffix = "</w>"}, {});
  EXPECT_EQ(trained.tokens, (std::vector<std::string>{"a", "b", "##a</w>", "##b", "ab", "aba</w>"}));
}

TEST(BpeTrainer, NothingToMerge) {
  EXPECT_TRUE(train_bpe({}, {}, {}).tokens.empty());
  WordCounts words;
  words.add("a");
  const TrainedBpe trained = train_bpe(words, {}, {});
  EXPECT_EQ(trained.tokens, (std::vector<std::string>{"a"}));
  EXPECT_EQ(trained.corpus_tokens, 1U);
}

TEST(BpeTrainer, CanBeCancelled) {
  Random random(4);
  const WordCounts words = random_words(random, "abcdefgh", 500, 20);
  try {
    train_bpe(words, {.vocab_size = 2000}, [](const Progress&) { return false; });
    FAIL() << "not cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
}

}  // namespace
}  // namespace kvzip
