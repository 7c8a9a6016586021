#include "kvzip/eval/haystack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/eval/qa_documents.h"
#include "kvzip/text/unicode/segmentation.h"

namespace kvzip {
namespace {

constexpr size_t kShortestSentence = 25;  // bytes; shorter ones are headings and broken off numbers

const std::vector<std::string>& shipped_sentences() {
  static const std::vector<std::string> kSentences = [] {
    std::vector<std::string> found;
    for (const EvalDocument& document : shipped_qa_documents()) {
      sentences(document.context, [&](std::string_view sentence) {
        std::string words(sentence.substr(0, sentence.find_last_not_of(" \n") + 1));
        if (words.size() >= kShortestSentence && words.back() == '.') found.push_back(words + ' ');
      });
    }
    return found;
  }();
  return kSentences;
}

}  // namespace

std::vector<std::string> haystack(size_t tokens, const CountTokens& count, SeededRandom& random) {
  std::vector<std::string> hay;
  size_t length = 0;
  while (true) {
    std::vector<std::string> round = shipped_sentences();
    random.shuffle(round);
    for (std::string& sentence : round) {
      const size_t more = count(sentence);
      if (length + more > tokens) return hay;
      length += more;
      hay.push_back(std::move(sentence));
    }
  }
}

std::vector<std::string> lines_of(size_t tokens, size_t least, const CountTokens& count,
                                  const std::function<std::string(size_t index)>& make) {
  std::vector<std::string> lines;
  for (size_t length = 0;;) {
    std::string line = make(lines.size());
    length += count(line);
    if (length > tokens) break;
    lines.push_back(std::move(line));
  }
  if (lines.size() < least) {
    throw Error(ErrorCode::usage, fmt::format("length {}: expected tokens for at least {} lines, found room for {}",
                                              tokens, least, lines.size()));
  }
  return lines;
}

std::string joined(const std::vector<std::string>& pieces) {
  std::string text;
  for (const std::string& piece : pieces) text += piece;
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.pop_back();
  return text;
}

std::string spread(const std::vector<std::string>& hay, std::vector<std::string> needles, SeededRandom& random) {
  random.shuffle(needles);
  std::vector<std::string> pieces;
  for (size_t i = 0; i < needles.size(); ++i) {
    // Each needle lies somewhere in a share of the hay of its own.
    const size_t begin = hay.size() * i / needles.size();
    const size_t end = hay.size() * (i + 1) / needles.size();
    const size_t place = begin + random.below(end - begin + 1);
    for (size_t at = begin; at < end; ++at) {
      if (at == place) pieces.push_back(needles[i]);
      pieces.push_back(hay[at]);
    }
    if (place == end) pieces.push_back(needles[i]);
  }
  return joined(pieces);
}

std::string insert_at(const std::vector<std::string>& hay, const std::string& needle, double depth) {
  std::vector<std::string> pieces = hay;
  const auto place = static_cast<std::ptrdiff_t>(std::lround(depth * static_cast<double>(hay.size())));
  pieces.insert(pieces.begin() + place, needle);
  return joined(pieces);
}

}  // namespace kvzip
