#include "kvzip/text/train/bpe_trainer.h"

#include <algorithm>
#include <limits>
#include <ranges>
#include <unordered_set>

#include "kvzip/text/train/bpe_merger.h"

namespace kvzip {
namespace {

constexpr size_t kMergesPerReport = 64;

/// Where a pair was merged more than once, its last merge counts, as in the package.
std::vector<std::pair<TokenId, TokenId>> last_of_each(const std::vector<TokenPair>& merges) {
  std::vector<std::pair<TokenId, TokenId>> last;
  std::unordered_set<TokenPair> seen;
  for (const TokenPair pair : std::views::reverse(merges)) {
    if (seen.insert(pair).second) last.emplace_back(left_of(pair), right_of(pair));
  }
  std::reverse(last.begin(), last.end());
  return last;
}

}  // namespace

TrainedBpe train_bpe(const WordCounts& words, const BpeTrainingOptions& options, const ProgressFn& progress) {
  report(progress, {"merging", 0, std::max<size_t>(options.vocab_size, 1)});
  GrowingVocabulary vocabulary;
  add_alphabet(words, options, vocabulary);
  BpeMerger merger(lay_out_words(words, options, vocabulary),
                   options.max_token_length.value_or(std::numeric_limits<size_t>::max()));
  std::vector<TokenPair> merges;
  const std::string& prefix = options.continuing_subword_prefix;
  while (vocabulary.size() < options.vocab_size) {
    const std::optional<MergeCandidate> best = merger.next();
    if (!best || best->count < std::max<uint64_t>(options.min_frequency, 1)) break;
    std::string token = vocabulary[left_of(best->pair)];
    const std::string& right = vocabulary[right_of(best->pair)];
    token += right.substr(right.starts_with(prefix) ? prefix.size() : 0);
    merger.merge(*best, vocabulary.add(token));
    merges.push_back(best->pair);
    if (merges.size() % kMergesPerReport == 0 && vocabulary.size() < options.vocab_size)
      report(progress, {"merging", vocabulary.size(), options.vocab_size});
  }
  report(progress, {"merging", vocabulary.size(), vocabulary.size()});
  return {vocabulary.take(), last_of_each(merges), merger.corpus_tokens()};
}

}  // namespace kvzip
