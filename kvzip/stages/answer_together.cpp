#include "kvzip/stages/answer_together.h"

#include <memory>

#include "kvzip/stages/answer_writer.h"
#include "kvzip/stages/prompt.h"

namespace kvzip {
namespace {

/// One question while its answer is made.
struct OpenAnswer {
  Tail tail;
  AnswerWriter writer;
  TokenId next = 0;  ///< chosen, but not yet taken
};
using OpenAnswers = std::vector<std::unique_ptr<OpenAnswer>>;

/// Takes the tokens that were chosen; answers that end with them go.
void take_all(OpenAnswers& open) {
  OpenAnswers going_on;
  for (auto& one : open) {
    if (one->writer.take(one->next, one->tail.end_position())) {
      going_on.push_back(std::move(one));
    } else {
      one->writer.finish();
    }
  }
  open = std::move(going_on);
}

/// One pass for the next token of all.
void choose_next(Forward& forward, const Model& model, const PastFn& past, OpenAnswers& open) {
  std::vector<TokenId> tokens;
  std::vector<Tail*> tails;
  for (const auto& one : open) {
    tokens.push_back(one->next);
    tails.push_back(&one->tail);
  }
  const Batch batch{.tokens = tokens, .tails = tails, .past = past, .logits = Logits::all};
  if (open.front()->writer.is_greedy()) {
    const auto places = forward.likeliest(batch, model.spelled_tokens());
    for (size_t i = 0; i < open.size(); ++i) open[i]->next = open[i]->writer.choose_likeliest(places[i]);
    return;
  }
  const View logits = forward.run_on_device(batch);
  for (size_t i = 0; i < open.size(); ++i) open[i]->next = open[i]->writer.choose_on_device(rows_of(logits, i, 1));
}

}  // namespace

std::vector<Answer> answer_together(const Model& model, const PastFn& past, size_t first_position, DType kv_type,
                                    std::span<const std::string> questions, const AnswerOptions& options) {
  std::vector<Answer> answers(questions.size());
  OpenAnswers open;
  Forward forward(model);
  for (size_t i = 0; i < questions.size(); ++i) {
    const auto start = AnswerWriter::Clock::now();
    const std::vector<TokenId> ids = question_ids(model, questions[i]);
    answers[i].question_tokens = ids.size();
    require_room(model, first_position, ids.size());
    open.push_back(std::make_unique<OpenAnswer>(
        OpenAnswer{Tail(model.backend(), model.cache_shape(tail_type(kv_type)), first_position),
                   AnswerWriter(model, options, start, answers[i])}));
    OpenAnswer& one = *open.back();
    one.next = one.writer.choose(run_batches(forward, ids, model.backend().preferred_batch(),
                                             Batch{.tail = &one.tail, .past = past, .logits = Logits::last}, {}));
  }
  take_all(open);
  while (!open.empty()) {
    choose_next(forward, model, past, open);
    take_all(open);
  }
  return answers;
}

}  // namespace kvzip
