#include "kvzip/cli/compressed_document.h"

#include <fmt/format.h>

#include <array>

#include "kvzip/cli/format.h"
#include "kvzip/eval/fidelity.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/stages/shared_heads.h"

namespace kvzip::cli {
namespace {

CompressedDocument stream_document(const Engine& engine, const DocumentRequest& request, ProgressBar& bar) {
  const Model& model = engine.model;
  const ReadingFlags& reading = request.reading;
  const KeepFlags& keep = request.keep;
  std::vector<TokenId> system = system_ids(model);
  std::vector<TokenId> document = document_ids(model, request.text);
  const CacheShape shape = model.cache_shape(reading.dtype());
  StreamOptions options = keep.mode.options(reading);
  options.ratio = keep_ratio(keep.amount(), shape, system.size(), document.size());
  options.level = level_by_name(keep.level);
  options.gate = engine.gate ? &*engine.gate : nullptr;
  options.progress = bar.stage("streaming");
  const size_t full_bytes =
      cache_bytes(model.cache_shape(tail_type(reading.dtype())), system.size(), document.size()).kept(1);
  const Stopwatch watch;
  Streamed streamed = stream_ids(model, std::move(system), std::move(document), options);
  const double kept_ratio = streamed.context.held().ratio();
  const size_t kept_bytes = streamed.context.bytes();
  return {.context = std::move(streamed.context),
          .system = std::move(streamed.system),
          .document = std::move(streamed.document),
          .ratio = options.ratio,
          .threshold = streamed.threshold,
          .kept_ratio = kept_ratio,
          .full_bytes = full_bytes,
          .kept_bytes = kept_bytes,
          .reading_seconds = watch.seconds() - streamed.scoring_seconds,
          .scoring_seconds = streamed.scoring_seconds};
}

/// Tried for --keep auto. Below the last one little memory is left to save.
constexpr std::array kAutomaticRatios = {0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1};

/// Cuts a context that holds all to the smallest ratio within --loss.
void cut_to_loss(const Engine& engine, const DocumentRequest& request, std::span<const TokenId> document,
                 Context& context, ScoredDocument& scored, ProgressBar& bar) {
  if (engine.group) throw Error(ErrorCode::unsupported, "--keep auto: expected one device, found several");
  const Level level = level_by_name(request.keep.level);
  const std::vector<Fidelity> all = check_fidelity(engine.model, context, document,
                                                   {.level = level,
                                                    .ratios = {kAutomaticRatios.begin(), kAutomaticRatios.end()},
                                                    .progress = bar.stage("checking")});
  scored.ratio = smallest_ratio_within(all, request.keep.loss);
  scored.selection = select(context.scores(), level, scored.ratio);
  context.shrink(scored.selection.keep);
  bar.note("keep", fmt::format("{:g}: the smallest ratio within {:g} nats of the full memory", scored.ratio,
                               request.keep.loss));
}

}  // namespace

CompressedDocument compress_document(const Engine& engine, const DocumentRequest& request, ProgressBar& bar) {
  if (request.keep.mode.streams()) {
    try {
      return stream_document(engine, request, bar);
    } catch (const Error& error) {
      rethrow_about(request.path, error);
    }
  }
  ReadDocument document = read(engine, request.path, request.text, request.reading, bar);
  ScoredDocument scored = score_and_select(engine, document, request.reading, request.keep, request.heads, bar);
  const size_t full_bytes = sum_of_devices(engine.model, document.reading.tail.bytes());
  std::vector<TokenId> system = document.reading.system;
  std::vector<TokenId> ids = document.reading.document;
  const Stopwatch compressing;
  Context context =
      compress(engine.model, std::move(document.reading), std::move(scored.scores), scored.selection.keep);
  if (request.keep.is_automatic()) cut_to_loss(engine, request, ids, context, scored, bar);
  const size_t kept_bytes = sum_of_devices(engine.model, context.bytes());
  return {.context = std::move(context),
          .system = std::move(system),
          .document = std::move(ids),
          .ratio = scored.ratio,
          .threshold = scored.selection.threshold,
          .kept_ratio = scored.selection.keep.ratio(),
          .full_bytes = full_bytes,
          .kept_bytes = kept_bytes,
          .reading_seconds = document.seconds,
          .scoring_seconds = scored.seconds,
          .compression_seconds = compressing.seconds()};
}

void note_compression(double kept_ratio, size_t full_bytes, size_t kept_bytes, ProgressBar& bar) {
  bar.note("compression", fmt::format("{} of the document's pairs kept, {} -> {}", format_percent(kept_ratio),
                                      format_bytes(full_bytes), format_bytes(kept_bytes)));
}

}  // namespace kvzip::cli
