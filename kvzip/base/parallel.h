// The threads of the CPU: a thin layer over OpenMP, so that oneDNN and our own loops share one pool.
#pragma once

#include <omp.h>

#include <algorithm>
#include <cstddef>
#include <exception>

namespace kvzip {

/// Threads that the next parallel loop will use.
inline size_t thread_count() { return static_cast<size_t>(omp_get_max_threads()); }

/// Sets the number of threads for all later loops; 0 means one per core that this process may run on.
inline void set_thread_count(size_t threads) {
  omp_set_num_threads(threads == 0 ? omp_get_num_procs() : static_cast<int>(threads));
}

/// Calls body(thread) once on each of `threads` threads at the same time. The body must not throw.
template <class Body>
void parallel_run(size_t threads, const Body& body) {
  if (threads <= 1) {
    body(size_t{0});
    return;
  }
  // Always by a team of all threads: libgomp ends those that a smaller team leaves out, and starts them again for the
  // next larger one, which takes longer than most loops.
  const size_t team = std::max(threads, thread_count());
#pragma omp parallel num_threads(static_cast <int>(team))
  if (const auto thread = static_cast<size_t>(omp_get_thread_num()); thread < threads) body(thread);
}

/// Splits [0, count) into one contiguous range per thread and calls body(begin, end) for each that isn't empty.
/// Ranges hold at least `grain` items, so that small loops stay on the calling thread. The body must not throw.
template <class Body>
void parallel_ranges(size_t count, size_t grain, const Body& body) {
  const size_t threads = std::clamp<size_t>(count / std::max<size_t>(grain, 1), 1, thread_count());
  parallel_run(threads, [&](size_t thread) {
    const size_t begin = count * thread / threads;
    const size_t end = count * (thread + 1) / threads;
    if (begin < end) body(begin, end);
  });
}

}  // namespace kvzip
