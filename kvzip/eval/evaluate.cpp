#include "kvzip/eval/evaluate.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "kvzip/eval/beliefs_about.h"
#include "kvzip/stages/answer.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

// As prefill() wants it for every document.
constexpr size_t kLeastRoom = 128;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

size_t asked_of(const EvalDocument& document, const EvaluateOptions& options) {
  const size_t all = document.questions.size();
  return options.max_questions == 0 ? all : std::min(all, options.max_questions);
}

/// One question at one memory after another, the full one first.
class Asker {
 public:
  Asker(const Model& model, const Task& task, const EvalQuestion& question)
      : model_(model),
        task_(task),
        question_(question),
        prompt_(prompt_of(task, question)),
        prompt_ids_(question_ids(model, prompt_)),
        right_ids_(model.tokenizer().encode(question.answer)) {
    right_ids_.resize(std::min(right_ids_.size(), task.max_tokens));
  }

  AnswerRecord ask_full(const ContextCut& cut, size_t& tokens) {
    AnswerRecord record;
    Conversation conversation = converse(cut);
    generate(conversation, record, tokens);
    full_ids_ = std::move(ids_);
    full_ = beliefs_about(conversation, prompt_ids_, full_ids_);
    judge(conversation, full_, record);
    return record;
  }

  AnswerRecord ask(const ContextCut& cut, size_t& tokens) {
    AnswerRecord record;
    Conversation conversation = converse(cut);
    generate(conversation, record, tokens);
    judge(conversation, beliefs_about(conversation, prompt_ids_, full_ids_), record);
    return record;
  }

 private:
  Conversation converse(const ContextCut& cut) const {
    const Context& context = cut.context();
    return {model_, past_of(cut), context.read_tokens(), context.shape().dtype};
  }

  void generate(Conversation& conversation, AnswerRecord& record, size_t& tokens) {
    Answer answer = conversation.ask(prompt_, {.sampling = {}, .max_tokens = task_.max_tokens, .on_text = {}});
    tokens += answer.ids.size();
    record.text = std::move(answer.text);
    record.score = grade(question_.metric, record.text, question_.answer);
    ids_ = std::move(answer.ids);
  }

  void judge(Conversation& conversation, const Beliefs& beliefs, AnswerRecord& record) const {
    BeliefComparison comparison = compare_beliefs(beliefs, full_);
    record.p_answer = comparison.mean_p_answer;
    record.log_p_answer = comparison.mean_log_p;
    record.min_margin = comparison.min_margin;
    record.flips = std::move(comparison.flips);
    const Beliefs right = beliefs_about(conversation, prompt_ids_, right_ids_);
    record.log_p_right = compare_beliefs(right, right).mean_log_p;
  }

  const Model& model_;
  const Task& task_;
  const EvalQuestion& question_;
  std::string prompt_;
  std::vector<TokenId> prompt_ids_;
  std::vector<TokenId> right_ids_;
  std::vector<TokenId> ids_;  // of the last answer
  std::vector<TokenId> full_ids_;
  Beliefs full_;
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
  const size_t asked = asked_of(document, options);
  for (size_t i = 0; i < asked; ++i) {
    const EvalQuestion& question = document.questions[i];
    Asker asker(model, task, question);
    QuestionRecord answers{question.text, question.answer, std::string(metric_name(question.metric)), {}, {}};
    for (size_t cut = 0; cut <= memories.cuts.size(); ++cut) {
      start = Clock::now();
      size_t& tokens = times.answer_tokens[cut];
      if (cut == 0) {
        answers.full = asker.ask_full(ContextCut(memories.contexts[0], memories.contexts[0].held()), tokens);
      } else if (memories.is_full(cut - 1)) {
        answers.pruned.push_back(answers.full);
      } else {
        const Memories::Cut& memory = memories.cuts[cut - 1];
        answers.pruned.push_back(asker.ask(ContextCut(memories.contexts[memory.context], memory.keep), tokens));
      }
      times.answers[cut] += seconds_since(start);
      steps.next();
    }
    record.questions.push_back(std::move(answers));
  }
  return record;
}

}  // namespace kvzip
