// Tokens of one conversation, one after another, as decoding brings them. Owns nothing; one thread at a time.
#pragma once

#include <utility>

#include "kvzip/model/forward.h"

namespace kvzip {

class TokenSteps {
 public:
  /// Appends to `tail`, behind `past`. Both and `forward` must outlive it, and be used by nothing else meanwhile.
  TokenSteps(Forward& forward, Tail& tail, PastFn past) : forward_(&forward), tail_(&tail), past_(std::move(past)) {}
  TokenSteps(const TokenSteps&) = delete;
  TokenSteps& operator=(const TokenSteps&) = delete;
  ~TokenSteps() { forward_->forget(); }

  /// Logits `[1, vocab]` on the device of what follows the token, queued rather than done, and valid until the next
  /// one. Throws as Forward::run() does.
  View next(TokenId token) {
    const Batch batch{.tokens = {&token, 1}, .tail = tail_, .past = past_, .logits = Logits::last};
    const View logits = forward_->run_on_device(batch);
    forward_->anticipate(batch);
    return logits;
  }

 private:
  Forward* forward_;
  Tail* tail_;
  PastFn past_;
};

}  // namespace kvzip
