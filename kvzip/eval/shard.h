// Which part of an evaluation one process does. Stateless.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace kvzip {

/// Documents whose number leaves `index` when divided by `count`.
struct Shard {
  size_t index = 0;
  size_t count = 1;
  bool has(size_t document) const { return document % count == index; }
};

/// "2/4": the second of four. Throws Error{usage} for anything else.
Shard parse_shard(std::string_view text);

/// What `mpirun` (Open MPI, or MPICH and its kin) has told this process in its environment; nothing elsewhere. Throws
/// Error{usage} where that makes no sense.
std::optional<Shard> shard_of_environment();

/// Threads for one of several processes that `mpirun` has started on this host: an equal share of its processors. 0,
/// for as many as OpenMP would use, where the process is alone, or where those `usable` are not all processors already.
size_t fair_threads(size_t usable);

}  // namespace kvzip
