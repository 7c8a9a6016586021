// What cuts text into the words that the model takes: the section "pre_tokenizer" of tokenizer.json. Immutable once
// made; safe from any number of threads.
#pragma once

#include <memory>
#include <vector>

#include "kvzip/text/pipeline/component.h"
#include "kvzip/text/pipeline/piece.h"
#include "kvzip/text/text_cuts.h"

namespace kvzip {

/// One step: cuts the pieces of the step before.
class PreTokenizerStep {
 public:
  PreTokenizerStep() = default;
  PreTokenizerStep(const PreTokenizerStep&) = delete;
  PreTokenizerStep& operator=(const PreTokenizerStep&) = delete;
  virtual ~PreTokenizerStep() = default;

  /// Calls visit(part) for what `piece`, which is not empty, is cut into; empty parts are ignored. Text that is not the
  /// piece's own is in `store`.
  virtual void split(Piece piece, TextStore& store, PieceVisitor visit) const = 0;
  /// The same step for a model that takes bytes as they are, where this one would only spell them; null for all others.
  virtual std::unique_ptr<PreTokenizerStep> of_bytes() const { return nullptr; }

  /// What is known of a text that is cut at a find_word_cut() before this step.
  enum class Cuts {
    unknown,
    harmless,        ///< the step makes of both halves what it makes of the whole, but may join words across the cut
    ends,            ///< and it doesn't: a word ends there
    ends_at_spaces,  ///< the same, but only at a find_space_cut()
  };
  virtual Cuts cuts() const { return Cuts::unknown; }
};

/// Steps in a row.
class PreTokenizerChain {
 public:
  /// None where `component` is. Throws Error{unsupported} that names an unknown type.
  explicit PreTokenizerChain(const Component* component);

  /// Whether the last step, and no other, spells bytes for byte-level BPE.
  bool spells_bytes() const;
  /// It stops doing so.
  void take_bytes() { steps_.back() = steps_.back()->of_bytes(); }

  bool empty() const { return steps_.empty(); }
  /// Where a text can be cut and has the same words.
  TextCuts cuts() const;

  void split(Piece piece, TextStore& store, PieceVisitor visit) const { split_from(0, piece, store, visit); }

 private:
  void add(const Component& component);
  void split_from(size_t step, Piece piece, TextStore& store, PieceVisitor visit) const;

  std::vector<std::unique_ptr<PreTokenizerStep>> steps_;
};

}  // namespace kvzip
