#include "kvzip/stages/prefill.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kvzip/stages/memory.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/stages/reconstruct.h"
#include "kvzip/text/require_text.h"

namespace kvzip {
namespace {

// Tokens that must stay free in the model's context for a question and its answer.
constexpr size_t kRoomForAnswer = 128;

}  // namespace

std::vector<TokenId> document_ids(const Model& model, std::string_view text) {
  require_text("document", text);
  return model.tokenizer().encode(text);
}

void require_context(const Model& model, size_t system, size_t document) {
  const size_t most = model.config().context_length;
  if (document + system + kRoomForAnswer <= most) return;
  const size_t taken = system + kRoomForAnswer;
  throw Error(
      ErrorCode::input,
      fmt::format("document: {} tokens; the model's context of {} has room for {} beside the prompt and an answer",
                  document, most, most > taken ? most - taken : 0));
}

Reading prefill(const Model& model, std::string_view text, const PrefillOptions& options) {
  std::vector<TokenId> document = document_ids(model, text);
  return prefill_ids(model, system_ids(model), std::move(document), options);
}

Reading prefill_ids(const Model& model, std::vector<TokenId> system, std::vector<TokenId> document,
                    const PrefillOptions& options) {
  require_decoder(model.config());
  Reading reading{std::move(system), std::move(document),
                  Tail(model.backend(), model.cache_shape(tail_type(options.kv_type)), 0), options.kv_type};
  require_context(model, reading.system.size(), reading.document.size());
  std::vector<TokenId> tokens = reading.system;
  tokens.insert(tokens.end(), reading.document.begin(), reading.document.end());
  const size_t batch = batch_rows(model, tokens.size(), options.kv_type, options.batch, kRepeatChunk);
  require_memory(model, tokens.size(), options.kv_type, batch, kRepeatChunk);
  reading.tail.reserve(tokens.size() + repeat_rows(reading.document.size(), kRepeatChunk), batch);

  Forward forward(model);
  run_batches(forward, tokens, batch, Batch{.tail = &reading.tail, .observe = options.observe}, [&](size_t done) {
    report(options.progress, {"prefill", done, tokens.size()});
  });
  model.backend().synchronize();  // so that whoever times it times all of it
  return reading;
}

std::span<const float> run_batches(Forward& forward, std::span<const TokenId> tokens, size_t batch_size,
                                   const Batch& each, const std::function<void(size_t)>& progress) {
  std::span<const float> logits;
  for (size_t begin = 0; begin < tokens.size(); begin += batch_size) {
    Batch batch = each;
    batch.tokens = tokens.subspan(begin, std::min(batch_size, tokens.size() - begin));
    const bool last = begin + batch.tokens.size() == tokens.size();
    if (!last) batch.logits = Logits::none;
    if (progress) {
      batch.on_layer = [&](size_t done, size_t layers) { progress(begin + batch.tokens.size() * done / layers); };
    }
    logits = forward.run(batch);
  }
  return logits;
}

PastFn past_of(const Tail& tail) {
  return [&tail](size_t layer, std::vector<Segment>& segments) { segments.push_back(tail.segment(layer)); };
}

}  // namespace kvzip
