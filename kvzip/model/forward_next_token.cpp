// Tokens one by one: their layers are the same kernels every time, for rows of which there is one more. A device that
// can repeat them is told beforehand, while it is busy with the token before.
#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/model/forward.h"

namespace kvzip {
namespace {

/// A batch that could be the one after another like it.
bool is_next_token(const Batch& batch, const ModelConfig& config) {
  return batch.tokens.size() == 1 && batch.tails.size() <= 1 && batch.logits != Logits::none && !batch.score &&
         !batch.observe && !batch.on_layer && config.own_kv_layers == config.layers;
}

void extend_all(Tail& tail) {
  for (size_t i = 0; i < tail.shape().layers(); ++i) tail.extend(i, 1);
}

}  // namespace

void Forward::anticipate(const Batch& batch) {
  forget();
  if (!is_next_token(batch, model_->config()) || model_->group() != nullptr) return;
  if (replays_.given_up) return;
  if (recording_ == nullptr) recording_ = model_->backend().make_recording();
  if (recording_ == nullptr) return;
  begin(batch);
  Tail& tail = *tails_[0];
  try {
    // Rows that have to move for one more do so now, as that isn't done again with every token.
    extend_all(tail);
    tail.truncate(first_position_);
    replays_.given_up = !recording_->record([&] { layers(batch, 1); });
    if (!replays_.given_up) anticipated_ = {&tail, first_position_};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::memory) throw;  // the token that needs it will say so, if it ever comes
  }
  tail.truncate(first_position_);
}

// Queues the layers of a token that was anticipated; false for any other batch.
bool Forward::replay(const Batch& batch) {
  const bool expected = anticipated_ && is_next_token(batch, model_->config()) && anticipated_->tail == tails_[0] &&
                        anticipated_->position == first_position_;
  forget();
  if (!expected) return false;
  extend_all(*tails_[0]);
  recording_->replay();
  ++replays_.tokens;
  return true;
}

}  // namespace kvzip
