// Files that appear complete or not at all. Functions are safe from any number of threads; a FileWriter belongs to one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/base/byte_sink.h"

namespace kvzip {

/// Appends to a file that is being made. Throws Error{input} where the disk is full or fails.
class FileWriter : public ByteSink {
 public:
  /// `fd` stays the caller's; `path` is the name that errors give.
  FileWriter(int fd, const std::string& path) : fd_(fd), path_(path) {}
  void write(std::span<const std::byte> bytes) override;
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  void rewrite(uint64_t offset, std::span<const std::byte> bytes) override;

 private:
  void start_writeback();

  int fd_;
  const std::string& path_;
  uint64_t written_ = 0;
  uint64_t started_ = 0;  ///< of them, that the disk was asked to take
};

/// Makes or replaces the regular file at `path` with what `fill` writes: a temporary file in the same folder, synced
/// and renamed once `fill` has returned, so that a reader or a crash sees the old content or the new, never a part.
/// Throws Error{input} naming the path where the folder is missing, the disk is full, permission is lacking or `path`
/// is not a regular file; passes on what `fill` throws. After any exception the temporary is gone and the old content
/// untouched.
void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& fill);

}  // namespace kvzip
