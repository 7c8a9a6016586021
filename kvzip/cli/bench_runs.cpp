#include "kvzip/cli/bench_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <random>

#include "kvzip/cli/interrupt.h"
#include "kvzip/model/token_steps.h"
#include "kvzip/stages/shared_heads.h"

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

/// Repeat inputs as long as real ones, for models that can't spell the instruction: random tokens stand for it.
std::vector<RepeatInput> repeat_inputs_of(const Model& model, std::span<const TokenId> document,
                                          size_t chunk_tokens = kRepeatChunk) {
  constexpr size_t kInstructionTokens = 30;
  if (model.has_tokenizer()) return repeat_inputs(model, document, chunk_tokens);
  std::vector<RepeatInput> inputs;
  for (size_t begin = 0; begin < document.size(); begin += chunk_tokens) {
    RepeatInput input{begin, std::min(chunk_tokens, document.size() - begin),
                      random_ids(kInstructionTokens, model.config().vocab, begin)};
    const auto chunk = document.subspan(begin, input.len);
    input.ids.insert(input.ids.end(), chunk.begin(), chunk.end());
    inputs.push_back(std::move(input));
  }
  return inputs;
}

/// Logarithms of scores as a learned gate's: the scale of real inputs, heads that differ.
Gate random_gate(const Model& model, uint64_t seed) {
  std::mt19937_64 random(seed);
  GateWeights weights{gate_layers(model).size(), model.config().kv_heads, model.config().hidden, {}, {}};
  weights.weights.resize(weights.layers * weights.kv_heads * weights.hidden);
  weights.bias.resize(weights.layers * weights.kv_heads);
  const double scale = 2 / std::sqrt(static_cast<double>(weights.hidden));
  for (float& value : weights.weights) value = static_cast<float>(scale * (2 * uniform(random) - 1));
  for (float& value : weights.bias) value = static_cast<float>(-3 - 2 * uniform(random));
  return {model, weights};
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
  for (const size_t tokens : plan_.streaming) expect("--streaming", tokens, kRoomBehindDocument);
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
  std::vector<double> compressions;
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    Stopwatch watch;
    Reading reading = read(tokens);
    prefills.push_back(watch.seconds());
    const std::vector<RepeatInput> inputs = repeat_inputs_of(engine_.model, reading.document);
    Scores exact;
    for (size_t k = 0; k < kKinds.size(); ++k) {
      watch = Stopwatch();
      Scores scores = score(engine_.model, reading, inputs,
                            {.scoring = kKinds[k], .batch = reading_.batch, .progress = until_interrupted()});
      scorings[k].push_back(watch.seconds());
      ratios[k].push_back(scorings[k].back() / prefills.back());
      if (kKinds[k] == Scoring::exact) exact = std::move(scores);
    }
    watch = Stopwatch();
    const Context context = compress(engine_.model, std::move(reading), std::move(exact), kCompressed);
    engine_.backend->synchronize();
    compressions.push_back(watch.seconds());
  }
  std::vector<ScoringFigure> figures;
  for (size_t k = 0; k < kKinds.size(); ++k) {
    figures.push_back({kKinds[k], tokens, spread_of(scorings[k]), spread_of(prefills), spread_of(ratios[k]),
                       spread_of(compressions)});
  }
  return figures;
}

StreamingFigure Bench::streaming(size_t tokens, const StreamOptions& options, bool gated) const {
  const std::vector<TokenId> document = random_ids(tokens, engine_.model.config().vocab, plan_.seed);
  const std::vector<RepeatInput> inputs = repeat_inputs_of(engine_.model, document, options.chunk);
  StreamOptions how = options;
  how.ratio = kCompressed;
  how.inputs = &inputs;
  how.progress = until_interrupted();
  std::optional<Gate> gate;
  if (gated) gate.emplace(random_gate(engine_.model, plan_.seed));
  how.gate = gate ? &*gate : nullptr;
  std::vector<double> all;
  std::vector<double> scorings;
  StreamingFigure figure{.tokens = tokens, .gated = gated};
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    const Stopwatch watch;
    const Streamed streamed = stream_ids(engine_.model, {}, document, how);
    all.push_back(watch.seconds());
    scorings.push_back(streamed.scoring_seconds);
    figure.kv_bytes = streamed.context.bytes();
  }
  figure.seconds = spread_of(all);
  figure.scoring_seconds = spread_of(scorings);
  return figure;
}

// Forced tokens instead of chosen ones: the work of a pass is the same, and no stop token ends it early.
double Bench::decode_once(const PastFn& past, DecodeFigure& figure) const {
  const Model& model = engine_.model;
  const size_t questions = figure.questions;
  Forward forward(model);
  std::vector<Tail> tails;
  std::vector<Tail*> tail_list;
  tails.reserve(questions);
  for (size_t q = 0; q < questions; ++q) {
    tails.emplace_back(model.backend(), model.cache_shape(tail_type(reading_.dtype())), figure.depth);
    tail_list.push_back(&tails.back());
  }
  const size_t vocab = model.config().vocab;
  const std::vector<TokenId> ids = random_ids((plan_.decode_tokens + 1) * questions, vocab, plan_.seed + 1);
  TokenSteps steps(forward, tails[0], past);
  std::array<size_t, 1> likeliest{};
  Stopwatch watch;
  for (size_t i = 0; i <= plan_.decode_tokens; ++i) {
    throw_if_interrupted();
    if (i == 1) watch = Stopwatch();  // the first token only warms up
    const auto tokens = std::span(ids).subspan(i * questions, questions);
    if (questions == 1) {
      model.backend().likeliest(steps.next(tokens[0]), likeliest);
    } else {
      forward.likeliest({.tokens = tokens, .tails = tail_list, .past = past, .logits = Logits::all}, vocab);
    }
  }
  const double seconds = watch.seconds();
  figure.replayed = static_cast<double>(forward.replays().tokens) / static_cast<double>(plan_.decode_tokens);
  figure.given_up = forward.replays().given_up;
  return static_cast<double>(plan_.decode_tokens * questions) / seconds;
}

std::vector<DecodeFigure> Bench::decode(size_t depth) const {
  std::vector<double> ratios = plan_.keeps;
  std::vector<Keep> keeps;
  std::optional<Context> context;
  if (depth == 0) {
    ratios = {1};
  } else {
    Reading reading = read(depth);
    Scores scores = made_up_scores(whole_shape(engine_.model, reading.tail.shape()), depth, plan_.seed);
    for (const double ratio : ratios) keeps.push_back(own_keep(engine_.model, select(scores, Level::pair, ratio).keep));
    const Keep all = select(scores, Level::pair, 1).keep;
    context = compress(engine_.model, std::move(reading), std::move(scores), all);
  }

  std::vector<DecodeFigure> figures;
  for (size_t k = 0; k < ratios.size(); ++k) {
    for (const size_t questions : plan_.questions) {
      figures.push_back({depth, ratios[k], questions, context ? context->bytes(keeps[k]) : 0, {}});
    }
  }
  // They take turns, so that a slow moment of the machine doesn't fall on one of them.
  std::vector<std::vector<double>> rates(figures.size());
  for (size_t i = 0; i < plan_.repetitions; ++i) {
    for (size_t f = 0; f < figures.size(); ++f) {
      std::optional<ContextCut> cut;
      if (context) cut.emplace(*context, keeps[f / plan_.questions.size()]);
      rates[f].push_back(decode_once(cut ? past_of(*cut) : PastFn(), figures[f]));
    }
  }
  for (size_t f = 0; f < figures.size(); ++f) figures[f].tokens_per_s = spread_of(rates[f]);
  return figures;
}

}  // namespace kvzip::cli
