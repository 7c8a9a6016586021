// Memory of the CPU backend. Large blocks are mapped one by one, so that releasing one really returns it to the system.
// Stateless; safe from any number of threads.
#pragma once

#include <cstddef>

namespace kvzip {

/// `bytes` (> 0) of uninitialised memory, aligned to 64. Throws Error{memory} naming the size.
void* acquire_cpu_memory(size_t bytes);
void release_cpu_memory(void* data, size_t bytes) noexcept;

/// Bytes that can be allocated now without swapping: what the kernel calls available, or less where a control group
/// says so.
size_t available_cpu_memory();

/// The most memory of this process that was resident at once, in bytes; 0 where the system doesn't say.
size_t peak_cpu_memory();

/// A block that grows on demand and is reused between calls. Move-only, one owner, one thread at a time.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();

  /// At least `bytes`, aligned to 64; what an earlier call left there may be lost.
  void* at_least(size_t bytes);

 private:
  void* data_ = nullptr;
  size_t bytes_ = 0;
};

}  // namespace kvzip
