// Reading: system prompt and document through the model once, their keys and values kept.
#pragma once

#include <string_view>
#include <vector>

#include "kvzip/base/progress.h"
#include "kvzip/cache/tail.h"
#include "kvzip/model/forward.h"
#include "kvzip/model/model.h"

namespace kvzip {

/// A document that has been read and not yet compressed. Move-only.
struct Reading {
  std::vector<TokenId> system;
  std::vector<TokenId> document;
  Tail tail;                   ///< rows of system and document, in reading order
  DType kv_type = DType::f16;  ///< what compression makes of them

  /// The cache that compression makes.
  CacheShape context_shape() const {
    CacheShape shape = tail.shape();
    shape.dtype = kv_type;
    return shape;
  }
};

struct PrefillOptions {
  DType kv_type = DType::f16;  ///< f32, f16 or bf16; or q8_0 or q4_0: read in f16 and quantised when compressed
  size_t batch = 0;            ///< tokens per pass; 0 = as batch_rows() says
  ProgressFn progress{};       ///< stage "prefill", in tokens
  ObserveFn observe{};         ///< sees the input of every layer's attention, batch by batch
};

/// The document's tokens. Throws Error{input} where `text` is empty or binary.
std::vector<TokenId> document_ids(const Model& model, std::string_view text);
/// Throws Error{input} that names both lengths where prompt, document and an answer are longer than the model's
/// context.
void require_context(const Model& model, size_t system, size_t document);

/// Reads `text`. Throws Error{input} where it is empty, binary or longer than the model's context (naming both
/// lengths), Error{memory} where it wouldn't fit (found before anything is computed), Error{cancelled}.
Reading prefill(const Model& model, std::string_view text, const PrefillOptions& options = {});
/// The same for a system prompt and a document that are already in token ids, all below the vocabulary's size.
Reading prefill_ids(const Model& model, std::vector<TokenId> system, std::vector<TokenId> document,
                    const PrefillOptions& options = {});

/// Runs `tokens` in batches of at most `batch_size`; `each` describes a batch but for its tokens. Reports `progress`
/// layer by layer. Returns the logits of the last batch, if `each` asks for any.
std::span<const float> run_batches(Forward& forward, std::span<const TokenId> tokens, size_t batch_size,
                                   const Batch& each, const std::function<void(size_t tokens_done)>& progress);

/// What lies behind a batch: all rows of a tail, for instance of a Reading that isn't compressed. The tail must outlive
/// the result.
PastFn past_of(const Tail& tail);

}  // namespace kvzip
