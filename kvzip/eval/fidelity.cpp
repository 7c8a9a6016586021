#include "kvzip/eval/fidelity.h"

#include <algorithm>
#include <cmath>

#include "kvzip/base/check.h"
#include "kvzip/stages/answer.h"
#include "kvzip/stages/reconstruct.h"

namespace kvzip {
namespace {

// Tokens whose logits are held at once, for two memories.
constexpr size_t kPiece = 64;

/// log sum exp of a row.
double log_total(std::span<const float> logits) {
  const auto top = static_cast<double>(*std::max_element(logits.begin(), logits.end()));
  double total = 0;
  for (const float logit : logits) total += std::exp(static_cast<double>(logit) - top);
  return top + std::log(total);
}

size_t top_of(std::span<const float> logits) {
  return static_cast<size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// A repetition of the beginning of one chunk.
struct Repetition {
  std::vector<TokenId> ids;  ///< instruction and chunk, without the last token, after which nothing is predicted
  size_t first = 0;          ///< the row that predicts the chunk's first token
  std::vector<TokenId> expected;
};

std::vector<Repetition> repetitions(const Model& model, std::span<const TokenId> document, size_t chunk_tokens) {
  std::vector<Repetition> all;
  const size_t chunk = fitting_chunk(model, document.size(), kRepeatChunk);
  for (RepeatInput& input : repeat_inputs(model, document, chunk)) {
    const size_t count = std::min(input.len, chunk_tokens);
    const size_t lead = input.ids.size() - input.len;
    Repetition repetition{std::move(input.ids), lead - 1, {}};
    repetition.ids.resize(lead + count);
    repetition.expected.assign(repetition.ids.begin() + static_cast<std::ptrdiff_t>(lead), repetition.ids.end());
    repetition.ids.pop_back();
    all.push_back(std::move(repetition));
  }
  return all;
}

/// All memories repeat together, so that the full one's logits are at hand and needn't be kept.
class Checker {
 public:
  Checker(const Model& model, const Context& context, const FidelityOptions& options) : options_(options) {
    add(context, context.held(), 1);
    for (const double ratio : options.ratios) add(context, select(context.scores(), options.level, ratio).keep, ratio);
    for (const ContextCut& cut : cuts_)
      memories_.emplace_back(model, past_of(cut), context.read_tokens(), context.shape().dtype);
  }

  std::vector<Fidelity> run(const std::vector<Repetition>& all) {
    size_t total = 0;
    for (const Repetition& each : all) total += each.ids.size();
    size_t done = 0;
    for (const Repetition& each : all) {
      for (Conversation& memory : memories_) memory.reset();
      for (size_t begin = 0; begin < each.ids.size(); begin += kPiece) {
        const size_t count = std::min(kPiece, each.ids.size() - begin);
        add_piece(each, begin, count);
        done += count;
        report(options_.progress, {"checking", done, total});
      }
    }
    for (Fidelity& sum : sums_) {
      const auto count = static_cast<double>(std::max<size_t>(counted_, 1));
      sum.loss /= count;
      sum.divergence /= count;
      sum.same_top /= count;
    }
    return sums_;
  }

 private:
  void add(const Context& context, const Keep& keep, double ratio) {
    cuts_.emplace_back(context, keep);
    sums_.push_back({.ratio = ratio, .kept = keep.ratio(), .kv_bytes = context.bytes(keep), .same_top = 0});
  }

  void add_piece(const Repetition& each, size_t begin, size_t count) {
    std::vector<float> full;
    const auto ids = std::span(each.ids).subspan(begin, count);
    for (size_t memory = 0; memory < memories_.size(); ++memory) {
      std::vector<float> logits = memories_[memory].logits(ids);
      if (memory == 0) full = logits;
      const size_t vocab = logits.size() / count;
      for (size_t row = std::max(begin, each.first); row < begin + count; ++row) {
        const auto ours = std::span<const float>(logits).subspan((row - begin) * vocab, vocab);
        const auto theirs = std::span<const float>(full).subspan((row - begin) * vocab, vocab);
        sums_[memory].loss += token_loss(ours, each.expected[row - each.first]);
        sums_[memory].divergence += kl_divergence(theirs, ours);
        sums_[memory].same_top += top_of(ours) == top_of(theirs) ? 1 : 0;
        if (memory == 0) ++counted_;
      }
    }
  }

  const FidelityOptions& options_;
  std::vector<ContextCut> cuts_;  // the full memory's first; complete before memories refer to them
  std::vector<Conversation> memories_;
  std::vector<Fidelity> sums_;
  size_t counted_ = 0;
};

}  // namespace

double token_loss(std::span<const float> logits, TokenId token) {
  return log_total(logits) - static_cast<double>(logits[static_cast<size_t>(token)]);
}

double kl_divergence(std::span<const float> p_logits, std::span<const float> q_logits) {
  check(p_logits.size() == q_logits.size(), "both rows are over one vocabulary");
  const double p_total = log_total(p_logits);
  const double q_total = log_total(q_logits);
  double sum = 0;
  for (size_t i = 0; i < p_logits.size(); ++i) {
    const double log_p = static_cast<double>(p_logits[i]) - p_total;
    const double p = std::exp(log_p);
    if (p > 0) sum += p * (log_p - (static_cast<double>(q_logits[i]) - q_total));
  }
  return std::max(sum, 0.0);
}

std::vector<Fidelity> check_fidelity(const Model& model, const Context& context, std::span<const TokenId> document,
                                     const FidelityOptions& options) {
  return Checker(model, context, options).run(repetitions(model, document, options.chunk_tokens));
}

double smallest_ratio_within(std::span<const Fidelity> fidelities, double most) {
  double smallest = 1;
  for (const Fidelity& each : fidelities) {
    if (each.loss - fidelities.front().loss <= most) smallest = std::min(smallest, each.ratio);
  }
  return smallest;
}

}  // namespace kvzip
