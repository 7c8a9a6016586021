// A file mapped read-only into memory. Owns the mapping; const access is safe from any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace kvzip {

/// Whether the last part of a path may be a symbolic link.
enum class Links : uint8_t { follow, refuse };

class MappedFile {
 public:
  /// Maps the regular file at `path`. Throws Error{input} where it is missing, unreadable, a folder or empty.
  explicit MappedFile(const std::string& path, Links links = Links::follow);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  const std::string& path() const { return path_; }

 private:
  void release();

  std::string path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kvzip
