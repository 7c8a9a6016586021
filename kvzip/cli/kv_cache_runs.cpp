#include "kvzip/cli/kv_cache_runs.h"

#include <fmt/format.h>

#include <algorithm>

#include "kvzip/cli/interrupt.h"

namespace kvzip::cli {
namespace {

constexpr size_t kStartTokens = 16;   // of the text before the first generated token
constexpr size_t kAnswerTokens = 8;   // of each answer about the shared text
constexpr size_t kQuestionRoom = 64;  // more than any question below takes

constexpr std::string_view kText =
    "The observatory stands on a hill above the harbour. Every evening the keeper writes down the wind, the height of "
    "the tide and the ships that pass, and every morning a clerk copies the page into a large green book. Nobody reads "
    "the book but the clerk's daughter, who has found out that the tides come back in the same order after nineteen "
    "years. She keeps that to herself until the winter of the great flood.\n";

constexpr std::string_view kQuestions[] = {
    "\nQuestion: Where does the observatory stand?\nAnswer:", "\nQuestion: Who reads the book?\nAnswer:",
    "\nQuestion: What colour is the book?\nAnswer:", "\nQuestion: When do the tides come back?\nAnswer:"};

TokenId likeliest(std::span<const float> logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// `count` tokens of text.
std::vector<TokenId> text_ids(const Model& model, size_t count) {
  std::vector<TokenId> ids;
  while (ids.size() < count) {
    const std::vector<TokenId> more = model.tokenizer().encode(kText);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  ids.resize(count);
  return ids;
}

Tail tail_at(const Model& model, size_t position) { return {model.backend(), model.cache_shape(DType::f16), position}; }

}  // namespace

void TokenCheck::add(std::span<const float> logits, TokenId expected) {
  const TokenId chosen = likeliest(logits);
  ++compared;
  same += chosen == expected ? 1 : 0;
  const double gap = logits[static_cast<size_t>(chosen)] - logits[static_cast<size_t>(expected)];
  largest_gap = std::max(largest_gap, gap);
}

KvCacheBench::KvCacheBench(const Engine& engine, const KvCachePlan& plan, ProgressBar& bar)
    : model_(engine.model), plan_(plan), bar_(bar), forward_(engine.model) {
  const size_t context = model_.config().context_length;
  const auto expect = [&](const char* option, size_t tokens, size_t more) {
    if (tokens + more <= context) return;
    throw Error(ErrorCode::usage, fmt::format("{} {}: expected at most {} with the model's context of {}", option,
                                              tokens, context > more ? context - more : 0, context));
  };
  expect("--tokens", plan.tokens, kStartTokens);
  expect("--prompt-tokens", plan.prompt_tokens, kQuestionRoom + kAnswerTokens);
  text_ = text_ids(model_, std::max(kStartTokens, plan.prompt_tokens));
}

/// Adds the tokens to the tail; logits after the last.
std::span<const float> KvCacheBench::run(std::span<const TokenId> ids, Tail& tail, const PastFn& past) {
  return run_batches(forward_, ids, model_.backend().preferred_batch(),
                     Batch{.tail = &tail, .past = past, .logits = Logits::last},
                     [](size_t) { throw_if_interrupted(); });
}

GenerationFigure KvCacheBench::generation() {
  const std::span<const TokenId> start = std::span(text_).first(kStartTokens);
  GenerationFigure figure;
  figure.start_tokens = start.size();
  std::vector<TokenId> ids(start.begin(), start.end());
  {
    Tail warm_up = tail_at(model_, 0);
    run(start, warm_up);
  }
  ProgressFn progress = bar_.stage("with cache");
  Tail tail = tail_at(model_, 0);
  const Stopwatch cached;
  std::span<const float> logits = run(start, tail);
  while (figure.cached.size() < plan_.tokens) {
    ids.push_back(likeliest(logits));
    figure.cached.push_back(cached.seconds());
    report(progress, {"with cache", figure.cached.size(), plan_.tokens});
    if (figure.cached.size() < plan_.tokens) logits = run(std::span(ids).last(1), tail);
  }
  progress = bar_.stage("without");
  const Stopwatch recomputed;
  while (figure.recomputed.size() < plan_.tokens) {
    const size_t made = figure.recomputed.size();
    Tail nothing_kept = tail_at(model_, 0);
    logits = run(std::span(ids).first(start.size() + made), nothing_kept);
    figure.check.add(logits, ids[start.size() + made]);
    figure.recomputed.push_back(recomputed.seconds());
    report(progress, {"without", made + 1, plan_.tokens});
  }
  return figure;
}

/// Appends the answer's tokens to `ids`, whose last one `logits` stand behind.
void KvCacheBench::answer(std::span<const float> logits, Tail& tail, const PastFn& past, std::vector<TokenId>& ids) {
  for (size_t i = 0; i < kAnswerTokens; ++i) {
    ids.push_back(likeliest(logits));
    if (i + 1 < kAnswerTokens) logits = run(std::span(ids).last(1), tail, past);
  }
}

PromptFigure KvCacheBench::prompts() {
  const std::span<const TokenId> prompt = std::span(text_).first(plan_.prompt_tokens);
  PromptFigure figure;
  figure.prompt_tokens = prompt.size();
  figure.answer_tokens = kAnswerTokens;
  const ProgressFn progress = bar_.stage("prompts", "answer");
  std::vector<std::vector<TokenId>> answers;
  const auto question_ids = [&](size_t i) { return model_.tokenizer().encode(kQuestions[i % std::size(kQuestions)]); };

  const Stopwatch cached;
  Tail shared = tail_at(model_, 0);
  run(prompt, shared);
  figure.prompt_seconds = cached.seconds();
  for (size_t i = 0; i < plan_.questions; ++i) {
    std::vector<TokenId> ids = question_ids(i);
    const Stopwatch question;
    Tail tail = tail_at(model_, prompt.size());
    const auto logits = run(ids, tail, past_of(shared));
    figure.cached_first.push_back(question.seconds());
    answer(logits, tail, past_of(shared), ids);
    figure.cached.push_back(cached.seconds());
    answers.push_back(ids);
    report(progress, {"prompts", i + 1, 2 * plan_.questions});
  }
  const Stopwatch recomputed;
  for (size_t i = 0; i < plan_.questions; ++i) {
    const std::vector<TokenId> question_only = question_ids(i);
    std::vector<TokenId> ids(prompt.begin(), prompt.end());
    ids.insert(ids.end(), question_only.begin(), question_only.end());
    const Stopwatch question;
    Tail tail = tail_at(model_, 0);
    const auto logits = run(ids, tail);
    figure.recomputed_first.push_back(question.seconds());
    figure.check.add(logits, answers[i][question_only.size()]);
    answer(logits, tail, {}, ids);
    figure.recomputed.push_back(recomputed.seconds());
    report(progress, {"prompts", plan_.questions + i + 1, 2 * plan_.questions});
  }
  return figure;
}

}  // namespace kvzip::cli
