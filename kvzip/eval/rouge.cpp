#include "kvzip/eval/rouge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/eval/normalize.h"

namespace kvzip {
namespace {

constexpr size_t kMostCells = size_t{1} << 26U;
constexpr double kEpsilon = 1e-8;  // of the package: keeps 0 / 0 away

using Sentence = std::vector<std::string_view>;
using WordSet = std::set<std::string_view>;

/// A sentence of spaces alone counts as one empty word, an empty one not at all.
std::vector<Sentence> sentences_of(std::string_view text) {
  std::vector<Sentence> sentences;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('.', begin), text.size());
    if (end > begin) {
      sentences.push_back(split_words(text.substr(begin, end - begin)));
      if (sentences.back().empty()) sentences.back().emplace_back();
    }
    begin = end + 1;
  }
  return sentences;
}

size_t distinct_words(const std::vector<Sentence>& sentences) {
  WordSet words;
  for (const Sentence& sentence : sentences) words.insert(sentence.begin(), sentence.end());
  return words.size();
}

/// Adds the words of one longest common subsequence to `words`. Of several, the one that the package finds: at a tie it
/// leaves out the prediction's word first.
void add_common_subsequence(const Sentence& reference, const Sentence& prediction, WordSet& words) {
  const size_t rows = reference.size() + 1;
  const size_t columns = prediction.size() + 1;
  if (rows > kMostCells / columns) {
    throw Error(ErrorCode::input, fmt::format("ROUGE-L: expected sentences of fewer words, found {} and {}",
                                              reference.size(), prediction.size()));
  }
  std::vector<uint32_t> lengths(rows * columns, 0);
  const auto length = [&](size_t row, size_t column) -> uint32_t& { return lengths[row * columns + column]; };
  for (size_t i = 1; i < rows; ++i) {
    for (size_t j = 1; j < columns; ++j) {
      length(i, j) = reference[i - 1] == prediction[j - 1] ? length(i - 1, j - 1) + 1
                                                           : std::max(length(i - 1, j), length(i, j - 1));
    }
  }
  size_t i = reference.size();
  size_t j = prediction.size();
  while (i > 0 && j > 0) {
    if (reference[i - 1] == prediction[j - 1]) {
      words.insert(reference[i - 1]);
      --i;
      --j;
    } else if (length(i - 1, j) > length(i, j - 1)) {
      --i;
    } else {
      --j;
    }
  }
}

}  // namespace

double rouge_l(std::string_view prediction, std::string_view reference) {
  const std::vector<Sentence> predicted = sentences_of(prediction);
  const std::vector<Sentence> expected = sentences_of(reference);
  if (predicted.empty() || expected.empty()) return 0;
  WordSet common;  // over all pairs of sentences: the union grows by what each adds, which sums up to its size
  for (const Sentence& sentence : expected) {
    for (const Sentence& other : predicted) add_common_subsequence(sentence, other, common);
  }
  const auto count = static_cast<double>(common.size());
  const double recall = count / static_cast<double>(distinct_words(expected));
  const double precision = count / static_cast<double>(distinct_words(predicted));
  return 2 * precision * recall / (precision + recall + kEpsilon);
}

}  // namespace kvzip
