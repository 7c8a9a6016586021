#include "kvzip/backend/cuda/staging.h"

#include <algorithm>
#include <cstring>

#include "kvzip/backend/cuda/kernel_launch.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

constexpr size_t kAlignment = 256;
constexpr size_t kGrain = size_t{1} << 20U;  ///< bytes worth a thread of their own
constexpr size_t kFew = size_t{4} << 20U;    ///< bytes that one core copies before others are awake

/// One core copies slower than the bus takes it.
void copy_bytes(std::byte* to, const std::byte* from, size_t bytes) {
  parallel_ranges(bytes, bytes < kFew ? kFew : kGrain,
                  [&](size_t begin, size_t end) { std::memcpy(to + begin, from + begin, end - begin); });
}

}  // namespace

Staging::Buffer& Staging::next_buffer() {
  current_ = (current_ + 1) % buffers_.size();
  Buffer& buffer = buffers_[current_];
  buffer.copied.wait();
  buffer.used = 0;
  return buffer;
}

void Staging::upload(void* device, const void* host, size_t bytes) {
  cuda::announce_other_work();
  auto* to = static_cast<std::byte*>(device);
  const auto* from = static_cast<const std::byte*>(host);
  while (bytes > 0) {
    Buffer* buffer = &buffers_[current_];
    // Small copies share a buffer, a large one takes what is left of it only if it fits.
    if (buffer->used + std::min(bytes, kBytes) > kBytes) buffer = &next_buffer();
    const size_t part = std::min(bytes, kBytes - buffer->used);
    std::byte* const pinned = buffer->memory.data() + buffer->used;
    copy_bytes(pinned, from, part);
    cuda_check(cudaMemcpyAsync(to, pinned, part, cudaMemcpyHostToDevice, stream_), "copying to the GPU");
    buffer->copied.record(stream_);
    buffer->used += (part + kAlignment - 1) / kAlignment * kAlignment;
    to += part;
    from += part;
    bytes -= part;
  }
}

void Staging::download(void* host, const void* device, size_t bytes) {
  cuda::announce_other_work();
  auto* to = static_cast<std::byte*>(host);
  const auto* from = static_cast<const std::byte*>(device);
  // One part is copied out of its buffer while the next one is on its way.
  std::byte* ready = nullptr;
  size_t ready_bytes = 0;
  const auto take = [&] {
    if (ready_bytes > 0) copy_bytes(to, ready, ready_bytes);
    to += ready_bytes;
  };
  Buffer* last = nullptr;
  while (bytes > 0) {
    Buffer& buffer = next_buffer();
    const size_t part = std::min(bytes, kBytes);
    cuda_check(cudaMemcpyAsync(buffer.memory.data(), from, part, cudaMemcpyDeviceToHost, stream_),
               "copying from the GPU");
    buffer.copied.record(stream_);
    buffer.used = kBytes;
    if (last != nullptr) last->copied.wait();
    take();
    ready = buffer.memory.data();
    ready_bytes = part;
    last = &buffer;
    from += part;
    bytes -= part;
  }
  if (last != nullptr) last->copied.wait();
  take();
}

}  // namespace kvzip
