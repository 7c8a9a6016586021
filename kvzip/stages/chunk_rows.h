// What local scoring shows to a chunk's repetition: of global layers the rows of system prompt and chunk alone, of
// sliding layers the window that they hold. Owns the copies that it needs; one thread at a time.
#pragma once

#include <vector>

#include "kvzip/stages/prefill.h"

namespace kvzip {

class ChunkRows {
 public:
  /// `reading` and `backend` must outlive it.
  ChunkRows(const Reading& reading, Backend& backend);

  /// From now on shows the `len` document rows from `begin` on, right behind the system prompt's. Throws Error{memory}.
  void show(size_t begin, size_t len);
  /// The rows shown, for a repetition: each of its queries sees all of them. This must outlive the result.
  PastFn past() const;

 private:
  const Reading* reading_;
  Tail copies_;  // of global layers; empty while the rows to show are neighbours in the reading
  std::vector<std::vector<KvRows>> heads_;  // what is shown, per layer; none for sliding ones
};

}  // namespace kvzip
