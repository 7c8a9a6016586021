#include "kvzip/cli/viewed_answers.h"

#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/streaming.h"
#include "kvzip/cli/viewed_document.h"
#include "kvzip/store/fingerprint.h"
#include "kvzip/view/view_question.h"

namespace kvzip::cli {
namespace {

ViewedAnswers answers_over(const Engine& engine, const Context& context, const Keep& keep,
                           const AnswersRequest& request, ProgressBar& bar) {
  ViewedAnswers viewed;
  viewed.model = engine.model.config().name;
  viewed.document_tokens = context.document_len();
  viewed.full_ratio = context.held().ratio();
  viewed.kept_ratio = keep.ratio();
  viewed.bytes_full = context.bytes();
  viewed.bytes_kept = context.bytes(keep);
  const ContextCut full(context, context.held());
  const ContextCut kept(context, keep);
  const ProgressFn progress = bar.stage("answering", "question");
  for (const std::string& question : request.questions) {
    report(progress, {"answering", viewed.questions.size(), request.questions.size()});
    viewed.questions.push_back(view_question(engine.model, full, kept, question, silent(request.answers)));
    throw_if_interrupted();
  }
  report(progress, {"answering", viewed.questions.size(), request.questions.size()});
  return viewed;
}

}  // namespace

ViewedAnswers answers_of_text(const Engine& engine, const std::string& path, const std::string& text,
                              const ReadingFlags& reading, const AnswersRequest& request, ProgressBar& bar) {
  Reading document = read(engine, path, text, reading, bar).reading;
  // An amount that can't be kept is known before the scoring.
  const double ratio =
      first_keep(request.keep, 1, document.context_shape(), document.system.size(), document.document.size());
  Scores scores = score(engine.model, document, {.batch = reading.batch, .progress = bar.stage("scoring")});
  const Keep keep = select(scores, Level::pair, ratio).keep;
  const Context context = compress(engine.model, std::move(document), std::move(scores), 1.0);
  ViewedAnswers viewed = answers_over(engine, context, keep, request, bar);
  viewed.name = shown_name(path);
  return viewed;
}

ViewedAnswers answers_of_context(const Engine& engine, const ContextFile& file, const AnswersRequest& request,
                                 ProgressBar& bar) {
  const ContextDescription& about = file.description();
  require_fit(file.path(), about.fingerprint, fingerprint_of(engine.model));
  const double ratio = first_keep(request.keep, about.ratio, about.shape, about.system_tokens, about.held.len);
  const Context context = Context::from_rows(engine.model.backend(), file.rows({}));
  const Keep keep = stored_keep(about, context.scores(), {.ratio = ratio, .level = Level::pair}, file.path());
  ViewedAnswers viewed = answers_over(engine, context, keep, request, bar);
  viewed.name = about.title;
  return viewed;
}

}  // namespace kvzip::cli
