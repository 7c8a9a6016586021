// Items of unequal size on all threads, by code that may throw. Builds on the pool of parallel.h.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <mutex>

#include "kvzip/base/parallel.h"

namespace kvzip {

/// Calls body(i) for all i below `count`, on all threads, each taking the next as it gets ready. Where bodies throw,
/// the first exception is thrown on once all threads are done; the thread that threw takes no more items.
template <class Body>
void parallel_each(size_t count, const Body& body) {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  parallel_run(std::min(count, thread_count()), [&](size_t) {
    try {
      for (size_t i = next++; i < count; i = next++) body(i);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
}

}  // namespace kvzip
