// Damages a file in many small ways and hands each result to a function that should open it or throw kvzip::Error. For
// parsers of untrusted files; run it under the sanitizers. One thread.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <exception>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {

struct MutationCounts {
  size_t opened = 0;
  size_t rejected = 0;
};

/// A file mapped so that writes stay in this process: any byte can be changed and put back without copying the rest.
class ScratchMapping {
 public:
  explicit ScratchMapping(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status {};
    const bool known = fd >= 0 && ::fstat(fd, &status) == 0;
    size_ = known ? static_cast<size_t>(status.st_size) : 0;
    void* const mapped = known ? ::mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0) : MAP_FAILED;
    if (fd >= 0) ::close(fd);
    if (mapped == MAP_FAILED) throw std::runtime_error("can't map " + path);
    data_ = static_cast<std::byte*>(mapped);
  }
  ScratchMapping(const ScratchMapping&) = delete;
  ScratchMapping& operator=(const ScratchMapping&) = delete;
  ~ScratchMapping() { ::munmap(data_, size_); }

  std::span<std::byte> bytes() const { return {data_, size_}; }

 private:
  std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Calls open(bytes) and counts how it ends. Throws std::runtime_error naming `what` where it ends in any way but
/// success or a one-line Error about the input.
template <class Open>
void try_open(std::span<const std::byte> bytes, const std::string& what, const Open& open, MutationCounts& counts) {
  try {
    open(bytes);
    ++counts.opened;
  } catch (const Error& error) {
    const std::string_view message = error.what();
    const bool about_input = error.code() == ErrorCode::input || error.code() == ErrorCode::unsupported;
    if (!about_input || message.empty() || message.find('\n') != std::string_view::npos) {
      throw std::runtime_error(what + ": not a one-line input error: " + std::string(message));
    }
    ++counts.rejected;
  } catch (const std::exception& other) {
    throw std::runtime_error(what + ": not a kvzip::Error: " + other.what());
  }
}

/// Cuts the file at `cuts` places: half of them in the header, which is copied each time, so that a sanitizer sees any
/// read beyond the cut; the other half, evenly spaced, in what follows.
template <class Open>
MutationCounts try_truncations(std::span<const std::byte> file, size_t header_bytes, size_t cuts, const Open& open) {
  MutationCounts counts;
  for (size_t i = 0; i < cuts; ++i) {
    const size_t half = i / 2;
    const size_t in_header = header_bytes * half / (cuts / 2 + 1) + half % 8;
    const size_t in_data = header_bytes + (file.size() - header_bytes) * half / (cuts / 2 + 1);
    const size_t size = i % 2 == 0 ? in_header : in_data;
    const std::string what = "cut after byte " + std::to_string(size);
    if (i % 2 == 0) {
      const std::vector<std::byte> copy(file.begin(), file.begin() + static_cast<ptrdiff_t>(size));
      try_open(copy, what, open, counts);
    } else {
      try_open(file.first(size), what, open, counts);
    }
  }
  return counts;
}

/// Changes one byte of the header at a time, `flips` times, and puts it back. Of every two, one falls into the first
/// `dense_bytes`, where counts and keys stand close together.
template <class Open>
MutationCounts try_byte_flips(std::span<std::byte> file, size_t header_bytes, size_t dense_bytes, size_t flips,
                              const Open& open) {
  MutationCounts counts;
  std::mt19937_64 random(20250607);
  for (size_t i = 0; i < flips; ++i) {
    const size_t at = random() % (i % 2 == 0 ? header_bytes : dense_bytes);
    const std::byte before = file[at];
    file[at] ^= static_cast<std::byte>(1 + random() % 255);
    const std::string what = "byte " + std::to_string(at) + " = " + std::to_string(std::to_integer<int>(file[at]));
    try_open(file, what, open, counts);
    file[at] = before;
  }
  return counts;
}

}  // namespace kvzip
