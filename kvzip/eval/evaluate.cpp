#include "kvzip/eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "kvzip/eval/beliefs_about.h"
#include "kvzip/stages/answer_together.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

// As prefill() wants it for every document.
constexpr size_t kLeastRoom = 128;
// Questions that are answered at once.
constexpr size_t kTogether = 32;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

size_t asked_of(const EvalDocument& document, const EvaluateOptions& options) {
  const size_t all = document.questions.size();
  return options.max_questions == 0 ? all : std::min(all, options.max_questions);
}

/// A document's questions at one memory after another, the full one first.
class Asker {
 public:
  Asker(const Model& model, const Task& task, std::span<const EvalQuestion> questions) : model_(model), task_(task) {
    for (const EvalQuestion& question : questions) {
      const std::string& prompt = prompts_.emplace_back(prompt_of(task, question));
      std::vector<TokenId> right = model.tokenizer().encode(question.answer);
      right.resize(std::min(right.size(), task.max_tokens));
      asked_.push_back({&question, question_ids(model, prompt), std::move(right)});
    }
  }

  /// What a memory answers to each question. Counts the tokens that it made, and calls `done` after each.
  std::vector<AnswerRecord> ask(const ContextCut& cut, size_t& tokens, const std::function<void()>& done) {
    std::vector<AnswerRecord> records;
    for (size_t first = 0; first < asked_.size(); first += kTogether) {
      const auto prompts = std::span(prompts_).subspan(first, std::min(kTogether, asked_.size() - first));
      // What one question's conversation has read needn't be read again to be judged.
      std::optional<Conversation> only;
      std::vector<Answer> answers;
      if (prompts.size() == 1) {
        answers.push_back(only.emplace(converse(cut)).ask(prompts[0], options()));
      } else {
        const Context& context = cut.context();
        answers =
            answer_together(model_, past_of(cut), context.read_tokens(), context.shape().dtype, prompts, options());
      }
      for (size_t i = 0; i < answers.size(); ++i) {
        tokens += answers[i].ids.size();
        std::optional<Conversation> another;
        Conversation& conversation = only ? *only : another.emplace(converse(cut));
        records.push_back(judge(asked_[first + i], std::move(answers[i]), conversation));
        done();
      }
    }
    knows_full_ = true;
    return records;
  }

 private:
  struct Asked {
    const EvalQuestion* question = nullptr;
    std::vector<TokenId> ids{}, right_ids{};
    std::vector<TokenId> full_ids{};  // what the full memory answered
    Beliefs full{};                   // and thought of it
  };

  Conversation converse(const ContextCut& cut) const {
    const Context& context = cut.context();
    return {model_, past_of(cut), context.read_tokens(), context.shape().dtype};
  }
  AnswerOptions options() const { return {.sampling = {}, .max_tokens = task_.max_tokens, .on_text = {}}; }

  AnswerRecord judge(Asked& asked, Answer answer, Conversation& conversation) const {
    AnswerRecord record;
    record.text = std::move(answer.text);
    record.score = grade(*asked.question, record.text);
    if (!knows_full_) asked.full_ids = std::move(answer.ids);
    const Beliefs beliefs = beliefs_about(conversation, asked.ids, asked.full_ids);
    if (!knows_full_) asked.full = beliefs;
    BeliefComparison comparison = compare_beliefs(beliefs, asked.full);
    record.p_answer = comparison.mean_p_answer;
    record.log_p_answer = comparison.mean_log_p;
    record.min_margin = comparison.min_margin;
    record.flips = std::move(comparison.flips);
    const Beliefs right = beliefs_about(conversation, asked.ids, asked.right_ids);
    record.log_p_right = compare_beliefs(right, right).mean_log_p;
    return record;
  }

  const Model& model_;
  const Task& task_;
  std::vector<std::string> prompts_;
  std::vector<Asked> asked_;
  bool knows_full_ = false;
};

/// Counts the steps that are done, and passes them on.
class Steps {
 public:
  Steps(const ProgressFn& progress, size_t total) : progress_(progress), total_(total) {}
  void next() { report(progress_, {"evaluating", ++done_, total_}); }
  /// For a stage inside a step: only asks whether to stop.
  ProgressFn inside() const {
    return [this](const Progress& /*state*/) { return !progress_ || progress_({"evaluating", done_, total_}); };
  }

 private:
  const ProgressFn& progress_;
  size_t total_;
  size_t done_ = 0;
};

/// What a document's questions are answered from.
struct Memories {
  std::vector<Context> contexts;  // the first one holds everything
  struct Cut {
    size_t context = 0;
    Keep keep;
    float threshold = 0;
  };
  std::vector<Cut> cuts;  // one per ratio

  bool is_full(size_t cut) const { return cuts[cut].context == 0 && cuts[cut].keep.rows == contexts[0].held().rows; }
};

/// `gated` are the scores that fell out of the reading, if any did.
Memories compressed(const Model& model, Reading&& reading, std::optional<Scores> gated, const EvaluateOptions& options,
                    const Steps& steps, DocumentTimes& times) {
  const Method& method = options.method != nullptr ? *options.method : methods().front();
  Clock::time_point start = Clock::now();
  Scores scores =
      gated ? *std::move(gated) : method.score(model, reading, {.batch = options.batch, .progress = steps.inside()});
  times.scoring = seconds_since(start);
  start = Clock::now();
  Memories memories;
  for (const double ratio : options.ratios) {
    Selection selection = select(scores, options.level, ratio);
    memories.cuts.push_back({0, std::move(selection.keep), selection.threshold});
  }
  memories.contexts.push_back(compress(model, std::move(reading), std::move(scores), 1.0));
  times.compression = seconds_since(start);
  return memories;
}

Memories streamed(const Model& model, Reading&& reading, const EvaluateOptions& options, const Steps& steps,
                  DocumentTimes& times) {
  const std::vector<TokenId> system = reading.system;
  const std::vector<TokenId> document = reading.document;
  Memories memories;
  memories.contexts.push_back(hold_all(model, std::move(reading)));
  times.reading = 0;
  double readings = 0;
  for (const double ratio : options.ratios) {
    if (ratio >= 1) {
      memories.cuts.push_back({0, memories.contexts[0].held(), 0});
      continue;
    }
    StreamOptions stream = *options.stream;
    stream.ratio = ratio;
    stream.level = options.level;
    stream.gate = options.gate;
    stream.kv_type = options.kv_type;
    stream.batch = options.batch;
    stream.progress = steps.inside();
    const Clock::time_point start = Clock::now();
    Streamed of_ratio = stream_ids(model, system, document, stream);
    times.reading += seconds_since(start) - of_ratio.scoring_seconds;
    times.scoring += of_ratio.scoring_seconds;
    ++readings;
    memories.cuts.push_back({memories.contexts.size(), of_ratio.context.held(), of_ratio.threshold});
    memories.contexts.push_back(std::move(of_ratio.context));
  }
  times.reading /= std::max(readings, 1.0);
  times.scoring /= std::max(readings, 1.0);
  return memories;
}

}  // namespace

size_t steps_of(const EvalDocument& document, const EvaluateOptions& options) {
  return 2 + asked_of(document, options) * (options.ratios.size() + 1);
}

size_t tokens_needed(const Model& model, const Task& task, const EvalDocument& document) {
  size_t longest = 0;
  for (const EvalQuestion& question : document.questions)
    longest = std::max(longest, question_ids(model, prompt_of(task, question)).size());
  return system_ids(model, task_line(task)).size() + model.tokenizer().encode(document.context).size() +
         std::max(kLeastRoom, longest + task.max_tokens);
}

DocumentRecord evaluate_document(const Model& model, const Task& task, const EvalDocument& document,
                                 const EvaluateOptions& options, DocumentTimes& times) {
  Steps steps(options.progress, steps_of(document, options));
  DocumentRecord record;
  record.depth = document.depth;

  Clock::time_point start = Clock::now();
  const PrefillOptions how{options.kv_type, options.batch, steps.inside()};
  std::vector<TokenId> system = system_ids(model, task_line(task));
  std::vector<TokenId> ids = model.tokenizer().encode(document.context);
  std::optional<Scores> scores;
  Reading reading = [&] {
    if (options.gate == nullptr || options.stream) return prefill_ids(model, std::move(system), std::move(ids), how);
    GatedReading gated = prefill_gated(model, *options.gate, std::move(system), std::move(ids), how);
    scores = std::move(gated.scores);
    return std::move(gated.reading);
  }();
  times.reading = seconds_since(start);
  record.system_tokens = reading.system.size();
  record.document_tokens = reading.document.size();
  steps.next();

  const Memories memories = options.stream
                                ? streamed(model, std::move(reading), options, steps, times)
                                : compressed(model, std::move(reading), std::move(scores), options, steps, times);
  steps.next();
  record.kv_bytes_full = memories.contexts[0].bytes();
  for (size_t i = 0; i < memories.cuts.size(); ++i) {
    const Memories::Cut& cut = memories.cuts[i];
    record.cuts.push_back({options.ratios[i], cut.keep.ratio(), static_cast<double>(cut.threshold),
                           memories.contexts[cut.context].bytes(cut.keep)});
  }

  times.answers.assign(memories.cuts.size() + 1, 0);
  times.answer_tokens.assign(memories.cuts.size() + 1, 0);
  const auto questions = std::span(document.questions).first(asked_of(document, options));
  for (const EvalQuestion& question : questions)
    record.questions.push_back({question.text, question.answer, std::string(metric_name(question.metric)), {}, {}});
  Asker asker(model, task, questions);
  for (size_t cut = 0; cut <= memories.cuts.size(); ++cut) {
    if (cut > 0 && memories.is_full(cut - 1)) {
      for (QuestionRecord& question : record.questions) {
        question.pruned.push_back(question.full);
        steps.next();
      }
      continue;
    }
    start = Clock::now();
    const Memories::Cut memory = cut == 0 ? Memories::Cut{0, memories.contexts[0].held()} : memories.cuts[cut - 1];
    std::vector<AnswerRecord> answers = asker.ask(ContextCut(memories.contexts[memory.context], memory.keep),
                                                  times.answer_tokens[cut], [&] { steps.next(); });
    for (size_t i = 0; i < answers.size(); ++i) {
      QuestionRecord& question = record.questions[i];
      if (cut == 0) {
        question.full = std::move(answers[i]);
      } else {
        question.pruned.push_back(std::move(answers[i]));
      }
    }
    times.answers[cut] = seconds_since(start);
  }
  return record;
}

}  // namespace kvzip
