#include "kvzip/cli/bench_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>

#include "kvzip/cli/interrupt.h"

namespace kvzip::cli {
namespace {

// What a prefill leaves free for an answer, and scoring for nothing else.
constexpr size_t kRoomBehindDocument = 128;

double uniform(std::mt19937_64& random) { return static_cast<double>(random() >> 11U) * 0x1p-53; }

std::vector<TokenId> random_ids(size_t count, size_t vocab, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<TokenId> ids(count);
  for (TokenId& id : ids) id = static_cast<TokenId>(random() % vocab);
  return ids;
}

/// Few pairs matter much, and some heads a hundred times more than others.
Scores made_up_scores(const CacheShape& shape, size_t len, uint64_t seed) {
  std::mt19937_64 random(seed);
  Scores scores(shape.global_layers().size(), shape.kv_heads, len);
  for (size_t i = 0; i < scores.layers * scores.kv_heads; ++i) {
    const double head = std::pow(10.0, -2 * uniform(random));
    for (float& value : scores.row(i / scores.kv_heads, i % scores.kv_heads)) {
      value = static_cast<float>(head * std::pow(uniform(random), 3.0));
    }
  }
  return scores;
}

ProgressFn until_interrupted() {
  return [](const Progress&) { return !interrupted(); };
}

}  // namespace

Spread spread_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  const double median = values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

void Bench::check_lengths() const {
  const size_t context = engine_.model.config().context_length;
  const auto expect = [&](const char* option, size_t tokens, size_t more) {
    if (tokens + more <= context) return;
    throw Error(ErrorCode::usage, fmt::format("{} {}: expected at most {} with the model's context of {}", option,
                                              tokens, context > more ? context - more : 0, context));
  };
  for (const size_t tokens : plan_.prefill) expect("--prefill", tokens, kRoomBehindDocument);
  for (const size_t tokens : plan_.scoring) expect("--scoring", tokens, kRoomBehindDocument);
  for (const size_t tokens : plan_.depths)
    expect("--depths", tokens, std::max(kRoomBehindDocument, plan_.decode_tokens + 1));
}

Reading Bench::read(size_t tokens) const {
  return prefill_ids(engine_.model, {}, random_ids(tokens, engine_.model.config().vocab, plan_.seed),
                     {reading_.dtype(), reading_.batch, until_interrupted()});
}

PrefillFigure Bench::prefill(size_t tokens) const {
  std::vector<double> rates;
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    const Stopwatch watch;
    read(tokens);
    rates.push_back(static_cast<double>(tokens) / watch.seconds());
  }
  return {tokens, spread_of(rates)};
}

std::vector<ScoringFigure> Bench::scoring(size_t tokens) const {
  constexpr std::array kKinds = {Scoring::exact, Scoring::local};
  std::vector<double> prefills;
  std::array<std::vector<double>, kKinds.size()> scorings;
  std::array<std::vector<double>, kKinds.size()> ratios;
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    Stopwatch watch;
    const Reading reading = read(tokens);
    prefills.push_back(watch.seconds());
    for (size_t k = 0; k < kKinds.size(); ++k) {
      watch = Stopwatch();
      score(engine_.model, reading, {.scoring = kKinds[k], .batch = reading_.batch, .progress = until_interrupted()});
      scorings[k].push_back(watch.seconds());
      ratios[k].push_back(scorings[k].back() / prefills.back());
    }
  }
  std::vector<ScoringFigure> figures;
  for (size_t k = 0; k < kKinds.size(); ++k) {
    figures.push_back({kKinds[k], tokens, spread_of(scorings[k]), spread_of(prefills), spread_of(ratios[k])});
  }
  return figures;
}

// Forced tokens instead of chosen ones: the work of a pass is the same, and no stop token ends it early.
double Bench::decode_once(const PastFn& past, size_t depth) const {
  const Model& model = engine_.model;
  Forward forward(model);
  Tail tail(model.backend(), model.cache_shape(tail_type(reading_.dtype())), depth);
  const std::vector<TokenId> ids = random_ids(plan_.decode_tokens + 1, model.config().vocab, plan_.seed + 1);
  Stopwatch watch;
  for (size_t i = 0; i < ids.size(); ++i) {
    throw_if_interrupted();
    if (i == 1) watch = Stopwatch();  // the first token only warms up
    forward.run({.tokens = std::span(ids).subspan(i, 1), .tail = &tail, .past = past, .logits = Logits::last});
  }
  return static_cast<double>(plan_.decode_tokens) / watch.seconds();
}

std::vector<DecodeFigure> Bench::decode(size_t depth) const {
  if (depth == 0) {
    std::vector<double> rates;
    for (size_t i = 0; i < plan_.repetitions; ++i) rates.push_back(decode_once({}, 0));
    return {{0, 1, 0, spread_of(rates)}};
  }
  Reading reading = read(depth);
  Scores scores = made_up_scores(reading.tail.shape(), depth, plan_.seed);
  std::vector<Keep> keeps;
  keeps.reserve(plan_.keeps.size());
  for (const double ratio : plan_.keeps) keeps.push_back(select(scores, Level::pair, ratio).keep);
  const Keep all = select(scores, Level::pair, 1).keep;
  const Context context = compress(engine_.model, std::move(reading), std::move(scores), all);

  // Keeps take turns, so that a slow moment of the machine doesn't fall on one of them.
  std::vector<std::vector<double>> rates(keeps.size());
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    for (size_t k = 0; k < keeps.size(); ++k) {
      const ContextCut cut(context, keeps[k]);
      rates[k].push_back(decode_once(past_of(cut), depth));
    }
  }
  std::vector<DecodeFigure> figures;
  for (size_t k = 0; k < keeps.size(); ++k) {
    figures.push_back({depth, plan_.keeps[k], context.bytes(keeps[k]), spread_of(rates[k])});
  }
  return figures;
}

}  // namespace kvzip::cli
