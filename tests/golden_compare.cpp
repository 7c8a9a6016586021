#include "tests/golden_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>

#include "kvzip/stages/answer.h"
#include "kvzip/stages/compress.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/stages/score.h"

namespace kvzip::golden {
namespace {

using Mask = std::vector<bool>;  // [layers * kv_heads * len]

double largest_difference(std::span<const float> a, std::span<const float> b) {
  double largest = a.size() == b.size() ? 0 : INFINITY;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a[i]) - static_cast<double>(b[i])));
  }
  return largest;
}

Mask kept_mask(const Context& context, const Keep& keep) {
  const Scores& scores = context.scores();
  Mask mask(scores.values.size());
  for (size_t layer = 0; layer < scores.layers; ++layer) {
    for (size_t head = 0; head < scores.kv_heads; ++head) {
      const auto order = context.order(layer, head);
      for (size_t i = 0; i < keep.at(layer, head); ++i)
        mask[(layer * scores.kv_heads + head) * scores.len + order[i]] = true;
    }
  }
  return mask;
}

/// The mask that the golden's own scores give by the selection rule (its ties in reading order).
Mask golden_mask(const Golden& golden, const GoldenCase& one, const Keep& keep) {
  const Scores scores = golden.scores();
  if (const GoldenTensor* valid = golden.find("valid_" + one.name)) {
    Mask mask(valid->values.size());
    std::transform(valid->values.begin(), valid->values.end(), mask.begin(), [](float value) { return value != 0; });
    return mask;
  }
  Mask mask(scores.values.size());
  for (size_t row = 0; row < keep.rows.size(); ++row) {
    const auto values = scores.row(row / keep.kv_heads, row % keep.kv_heads);
    std::vector<uint32_t> order(values.size());
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<uint32_t>(i);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) { return values[a] > values[b]; });
    for (size_t i = 0; i < keep.rows[row]; ++i) mask[row * scores.len + order[i]] = true;
  }
  return mask;
}

/// Pairs on which the masks differ though their golden score isn't within `tie` of where the case cuts.
size_t clear_differences(const Golden& golden, const GoldenCase& one, const Mask& ours, const Mask& theirs,
                         double tie) {
  const Scores scores = golden.scores();
  const HeadScores heads = head_scores(scores);
  size_t clear = 0;
  for (size_t row = 0; row < scores.layers * scores.kv_heads; ++row) {
    double cut = one.threshold;
    if (one.level == Level::pair_uniform) {  // the lowest score that this head keeps
      cut = 1;
      for (size_t i = 0; i < scores.len; ++i) {
        if (theirs[row * scores.len + i]) cut = std::min<double>(cut, scores.values[row * scores.len + i]);
      }
    }
    for (size_t i = row * scores.len; i < (row + 1) * scores.len; ++i) {
      const double score = one.level == Level::head ? heads.values[row] : scores.values[i];
      if (ours[i] != theirs[i] && std::abs(score - cut) > tie) ++clear;
    }
  }
  return clear;
}

double overlap(const Mask& ours, const Mask& theirs) {
  size_t common = 0, kept = 0;
  for (size_t i = 0; i < ours.size(); ++i) {
    kept += theirs[i] ? 1 : 0;
    common += ours[i] && theirs[i] ? 1 : 0;
  }
  return kept == 0 ? 1 : static_cast<double>(common) / static_cast<double>(kept);
}

/// Probability of each of `ids` given what stands before it; `logits` are those after the token before each.
std::vector<double> probabilities(std::span<const float> logits, size_t vocab, std::span<const TokenId> ids) {
  std::vector<double> found;
  for (size_t i = 0; i < ids.size(); ++i) {
    const auto row = logits.subspan(i * vocab, vocab);
    const double highest = *std::max_element(row.begin(), row.end());
    double sum = 0;
    for (const float logit : row) sum += std::exp(logit - highest);
    found.push_back(std::exp(row[static_cast<size_t>(ids[i])] - highest) / sum);
  }
  return found;
}

/// In q8_0: the margin below which an answer may differ. Where a processor multiplies in bf16, its rounding comes on
/// top of the rows' and moves an answer's tokens by up to 0.055 each: one with a margin of 0.0958 comes out equal with
/// two threads and not with one.
constexpr double kEightBitMargin = 0.1;

/// Mean over an answer set, measured on AVX2: 0.025 to 0.050 (in q8_0 0.002 to 0.004). Twice the largest leaves
/// room for other processors' rounding, and a wrong sign or scale would give 0.2 and more.
constexpr double kFourBitProbability = 0.1;

Closeness closeness(const Model& model, const Mode& mode) {
  if (mode.exact && !is_quantised(mode.kv_type)) return exact_closeness();
  Closeness close = model.backend().activation_type() == DType::bf16 ? bf16_closeness() : fast_closeness();
  if (mode.kv_type == DType::q8_0) close.answer_margin = std::max(close.answer_margin, kEightBitMargin);
  if (mode.kv_type == DType::q4_0) {
    // Four bits change answers: only the probabilities as a whole are held to something.
    close.answer_margin = 1;
    close.mean_probability = kFourBitProbability;
  }
  return close;
}

/// Recorded continuations hold the token that ended them; ours don't.
bool same_continuation(const Model& model, const Answer& ours, std::vector<TokenId> theirs) {
  const auto& stops = model.stop_tokens();
  if (ours.reason == StopReason::stop_token && !theirs.empty() &&
      std::find(stops.begin(), stops.end(), theirs.back()) != stops.end()) {
    theirs.pop_back();
  }
  return ours.ids == theirs;
}

class Comparison {
 public:
  Comparison(const Model& model, const Golden& golden, const Mode& mode)
      : model_(&model),
        golden_(&golden),
        kv_type_(mode.kv_type),
        exact_(mode.exact && !is_quantised(mode.kv_type)),
        close_(closeness(model, mode)) {}

  std::vector<Figure> run(const std::string& document);

 private:
  void prompts(const std::string& document);
  void tiny_full(const Reading& reading);
  void one_case(const Context& context, const GoldenCase& one);
  void memory(const Context& context, const GoldenCase& one, const Keep& keep);
  void kept(const Context& context, const GoldenCase& one, const Keep& keep);
  void answers(const ContextCut& cut, const GoldenCase& one);
  void tiny_case(const ContextCut& cut, const GoldenCase& one);
  size_t answer_limit() const;
  void most(std::string what, double value, double bound, bool judged = true) {
    figures_.push_back({std::move(what), value, bound, false, judged});
  }
  void least(std::string what, double value, double bound, bool judged = true) {
    figures_.push_back({std::move(what), value, bound, true, judged});
  }

  const Model* model_;
  const Golden* golden_;
  DType kv_type_;
  bool exact_;
  Closeness close_;
  std::vector<Figure> figures_;
  std::vector<std::vector<TokenId>> full_answers_;  // by query, with the token that ended them if the golden has it
};

std::vector<Figure> Comparison::run(const std::string& document) {
  if (!document.empty()) prompts(document);
  Reading reading =
      prefill_ids(*model_, golden_->system, golden_->context, {.kv_type = kv_type_, .batch = 512, .progress = {}});
  if (!golden_->greedy_full.empty()) tiny_full(reading);
  if (golden_->find("score") == nullptr) return figures_;

  Scores scores = score(*model_, reading, golden_->repeat_inputs, {.batch = 512, .progress = {}});
  most("largest score difference", largest_difference(scores.values, golden_->tensors.at("score").values), close_.score,
       exact_);
  const Keep all = select(scores, Level::pair, 1.0).keep;
  const Context context = compress(*model_, std::move(reading), std::move(scores), all);
  for (const GoldenCase& one : golden_->cases) one_case(context, one);
  return figures_;
}

void Comparison::prompts(const std::string& document) {
  const Tokenizer& tokenizer = model_->tokenizer();
  const auto same = [this](std::string what, bool equal) { least(std::move(what), equal ? 1 : 0, 1); };
  same("system ids equal", system_ids(*model_) == golden_->system);
  same("document ids equal", tokenizer.encode(document) == golden_->context);
  same("postfix ids equal", postfix_ids(*model_) == golden_->postfix);
  const auto inputs = repeat_inputs(*model_, golden_->context);
  bool equal = inputs.size() == golden_->repeat_inputs.size();
  for (size_t i = 0; equal && i < inputs.size(); ++i) {
    equal = inputs[i].ids == golden_->repeat_inputs[i].ids && inputs[i].len == golden_->repeat_inputs[i].len;
  }
  same("repeat inputs equal", equal);
  for (size_t i = 0; i < golden_->query_text.size(); ++i) {
    same(fmt::format("question {} ids equal", i), question_ids(*model_, golden_->query_text[i]) == golden_->queries[i]);
  }
}

void Comparison::tiny_full(const Reading& reading) {
  std::vector<TokenId> all = golden_->system;
  all.insert(all.end(), golden_->context.begin(), golden_->context.end());
  all.insert(all.end(), golden_->queries[0].begin(), golden_->queries[0].end());
  Conversation whole(*model_, {}, 0, reading.tail.shape().dtype);
  most("largest logit difference, full",
       largest_difference(whole.logits(all), golden_->tensors.at("logits_full").values), close_.logits);
  Conversation talk(*model_, past_of(reading.tail), reading.tail.end_position(), reading.tail.shape().dtype);
  const Answer greedy = talk.continue_ids(golden_->queries[0],
                                          {.sampling = {}, .max_tokens = golden_->greedy_full.size(), .on_text = {}});
  least("greedy continuation equal, full", same_continuation(*model_, greedy, golden_->greedy_full) ? 1 : 0, 1);
}

void Comparison::one_case(const Context& context, const GoldenCase& one) {
  const Keep keep = select(context.scores(), one.level, one.ratio).keep;
  kept(context, one, keep);
  memory(context, one, keep);
  const ContextCut cut(context, keep);
  if (!one.greedy.empty()) tiny_case(cut, one);
  if (!one.answers.empty()) answers(cut, one);
}

/// Rows of whole blocks of 32 values: 34 bytes in q8_0, 18 in q4_0.
void Comparison::memory(const Context& context, const GoldenCase& one, const Keep& keep) {
  const CacheShape& shape = context.shape();
  const size_t blocks = (shape.head_dim + 31) / 32;
  const size_t row = kv_type_ == DType::q8_0   ? blocks * 34
                     : kv_type_ == DType::q4_0 ? blocks * 18
                                               : shape.head_dim * (kv_type_ == DType::f32 ? 4 : 2);
  size_t rows = keep.pairs();
  for (const size_t window : shape.windows) {
    rows += shape.kv_heads * (window == 0 ? context.system_len() : std::min(context.read_tokens(), window - 1));
  }
  const size_t expected = 2 * rows * row;
  const size_t bytes = context.bytes(keep);
  // Fewer would be as wrong as more.
  most(fmt::format("{}: bytes of keys and values", one.name), static_cast<double>(bytes),
       bytes == expected ? static_cast<double>(expected) : -1);
}

void Comparison::kept(const Context& context, const GoldenCase& one, const Keep& keep) {
  const Selection theirs = select(golden_->scores(), one.level, one.ratio);
  for (size_t layer = 0; layer < one.kept_per_head.size(); ++layer) {
    for (size_t head = 0; head < one.kept_per_head[layer].size(); ++head) {
      if (theirs.keep.at(layer, head) != one.kept_per_head[layer][head]) {
        most(fmt::format("{}: rows kept of layer {} head {} by the golden's own scores", one.name, layer, head),
             theirs.keep.at(layer, head), one.kept_per_head[layer][head]);
        figures_.back().bound = -1;  // any difference fails
      }
    }
  }
  const Mask our_mask = kept_mask(context, keep), their_mask = golden_mask(*golden_, one, theirs.keep);
  if (exact_) {
    most(fmt::format("{}: pairs kept differently beyond ties", one.name),
         static_cast<double>(clear_differences(*golden_, one, our_mask, their_mask, close_.score)), 0);
  }
  const bool judged = !exact_ && one.level == Level::pair && one.ratio == close_.overlap_ratio;
  least(fmt::format("{}: kept pairs in common", one.name), overlap(our_mask, their_mask), close_.overlap, judged);
}

void Comparison::tiny_case(const ContextCut& cut, const GoldenCase& one) {
  const auto& query = golden_->queries[0];
  const DType kv_type = cut.context().shape().dtype;
  const bool judged = !is_quantised(kv_type_);
  if (const GoldenTensor* logits = golden_->find("logits_" + one.name)) {
    Conversation talk(*model_, past_of(cut), cut.context().read_tokens(), kv_type);
    most(fmt::format("{}: largest logit difference", one.name), largest_difference(talk.logits(query), logits->values),
         close_.logits, judged);
  }
  Conversation talk(*model_, past_of(cut), cut.context().read_tokens(), kv_type);
  const Answer greedy = talk.continue_ids(query, {.sampling = {}, .max_tokens = one.greedy.size(), .on_text = {}});
  least(fmt::format("{}: greedy continuation equal", one.name), same_continuation(*model_, greedy, one.greedy) ? 1 : 0,
        1, judged);
}

/// Tokens after which the golden's answers were cut off.
size_t Comparison::answer_limit() const {
  size_t limit = 0;
  for (const GoldenCase& one : golden_->cases) {
    for (const GoldenAnswer& answer : one.answers)
      limit = std::max(limit, model_->tokenizer().encode(answer.text).size());
  }
  return limit;
}

void Comparison::answers(const ContextCut& cut, const GoldenCase& one) {
  const size_t limit = answer_limit();
  full_answers_.resize(golden_->queries.size());
  size_t equal_answers = 0, compared = 0;
  double differences = 0;
  for (const GoldenAnswer& theirs : one.answers) {
    const auto& query = golden_->queries[theirs.query];
    std::vector<TokenId>& full = full_answers_[theirs.query];
    if (one.ratio >= 1) {
      full = model_->tokenizer().encode(theirs.text);
      if (full.size() + 1 == theirs.p_answer.size()) full.push_back(model_->stop_tokens().front());
    }
    Conversation talk(*model_, past_of(cut), cut.context().read_tokens(), cut.context().shape().dtype);
    const Answer ours = talk.continue_ids(query, {.sampling = {}, .max_tokens = limit, .on_text = {}});
    // A golden answer of `limit` tokens was cut off; ours may then end a character earlier or later. The margin speaks
    // of the answer's tokens and not of the stop after them, so that in the fast mode ours may also go on.
    const bool cut_off = model_->tokenizer().encode(theirs.text).size() + 1 >= limit;
    const bool begins = ours.text.starts_with(theirs.text) || (cut_off && theirs.text.starts_with(ours.text));
    const bool equal = exact_ && !cut_off ? ours.text == theirs.text : begins;
    least(fmt::format("{}: answer {} equal (margin {:.4f})", one.name, theirs.query, theirs.min_top2_margin),
          equal ? 1 : 0, 1, theirs.min_top2_margin > close_.answer_margin);

    equal_answers += equal ? 1 : 0;
    if (!equal) figures_.back().what += fmt::format("\n       theirs: {}\n       ours:   {}", theirs.text, ours.text);
    if (full.size() != theirs.p_answer.size()) continue;
    std::vector<TokenId> all = query;
    all.insert(all.end(), full.begin(), full.end() - 1);
    talk.reset();
    const std::vector<float> logits = talk.logits(all);
    const size_t vocab = model_->config().vocab;
    const auto ours_p = probabilities(std::span(logits).subspan((query.size() - 1) * vocab), vocab, full);
    double largest = 0;
    for (size_t i = 0; i < ours_p.size(); ++i) {
      largest = std::max(largest, std::abs(ours_p[i] - theirs.p_answer[i]));
      differences += std::abs(ours_p[i] - theirs.p_answer[i]);
    }
    compared += ours_p.size();
    most(fmt::format("{}: answer {} largest probability difference", one.name, theirs.query), largest,
         close_.probability, exact_);
  }
  least(fmt::format("{}: answers equal, of {}", one.name, one.answers.size()), static_cast<double>(equal_answers), 0,
        false);
  most(fmt::format("{}: mean probability difference of {} tokens", one.name, compared),
       differences / static_cast<double>(std::max<size_t>(compared, 1)), close_.mean_probability);
}

}  // namespace

Closeness exact_closeness() { return {.answer_margin = 0.001}; }

Closeness fast_closeness() { return {.overlap = 0.97, .overlap_ratio = 0.3, .answer_margin = 0.05}; }

Closeness bf16_closeness() {
  return {
      .overlap = 0.95, .overlap_ratio = 0.3, .logits = std::numeric_limits<double>::infinity(), .answer_margin = 0.1};
}

std::vector<Figure> compare(const Model& model, const Golden& golden, const std::string& document, const Mode& mode) {
  return Comparison(model, golden, mode).run(document);
}

std::vector<Figure> compare_tokenizer(const Tokenizer& tokenizer, const std::string& cases_path) {
  std::ifstream file(cases_path);
  if (!file) throw Error(ErrorCode::input, cases_path + ": can't be read");
  size_t ids_equal = 0, text_equal = 0;
  const nlohmann::json cases = nlohmann::json::parse(file);
  for (const auto& one : cases) {
    const auto ids = one.at("ids").get<std::vector<TokenId>>();
    ids_equal += tokenizer.encode(one.at("text").get<std::string>()) == ids ? 1 : 0;
    text_equal += decode_verbatim(tokenizer, ids) == one.at("decoded").get<std::string>() ? 1 : 0;
  }
  const auto count = static_cast<double>(cases.size());
  return {{"strings with equal ids", static_cast<double>(ids_equal), count, true, true},
          {"strings with equal decoded text", static_cast<double>(text_equal), count, true, true}};
}

}  // namespace kvzip::golden
