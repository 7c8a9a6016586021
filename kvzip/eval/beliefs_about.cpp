#include "kvzip/eval/beliefs_about.h"

#include <algorithm>
#include <vector>

namespace kvzip {
namespace {

// Tokens whose logits are held at once: a large vocabulary has a million bytes of them per token.
constexpr size_t kProbe = 32;

}  // namespace

Beliefs beliefs_about(Conversation& conversation, std::span<const TokenId> question, std::span<const TokenId> answer) {
  Beliefs beliefs;
  if (answer.empty()) return beliefs;
  std::vector<TokenId> said(question.begin(), question.end());
  said.insert(said.end(), answer.begin(), answer.end() - 1);
  for (size_t begin = conversation.rewind(question.size() - 1); begin < said.size(); begin += kProbe) {
    const size_t count = std::min(kProbe, said.size() - begin);
    const std::vector<float> logits = conversation.logits(std::span(said).subspan(begin, count));
    const size_t vocab = logits.size() / count;
    // The row of position i predicts what stands at i + 1; the answer starts behind the question.
    const size_t first = std::max(begin, question.size() - 1);
    if (first >= begin + count) continue;
    const size_t rows = begin + count - first;
    const Beliefs piece = beliefs_of(std::span(logits).subspan((first - begin) * vocab, rows * vocab),
                                     answer.subspan(first - (question.size() - 1), rows));
    beliefs.p_answer.insert(beliefs.p_answer.end(), piece.p_answer.begin(), piece.p_answer.end());
    beliefs.margin.insert(beliefs.margin.end(), piece.margin.begin(), piece.margin.end());
    beliefs.top.insert(beliefs.top.end(), piece.top.begin(), piece.top.end());
  }
  return beliefs;
}

}  // namespace kvzip
