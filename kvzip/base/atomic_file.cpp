#include "kvzip/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr uint64_t kWritebackBytes = uint64_t{8} << 20U;

[[noreturn]] void fail(const std::string& path, int error) {
  throw Error(ErrorCode::input, fmt::format("{}: can't be written: {}", path, std::generic_category().message(error)));
}

/// The temporary file: closed and removed on every way out but commit().
class Temporary {
 public:
  explicit Temporary(const std::string& target) : target_(target) {
    static std::atomic<uint64_t> made{0};
    constexpr int kAttempts = 100;  // names can only be taken by what earlier processes of the same id left behind
    for (int attempt = 0; attempt < kAttempts && fd_ < 0; ++attempt) {
      path_ = fmt::format("{}.{}-{}.tmp", target, ::getpid(), made++);
      fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (fd_ < 0 && errno != EEXIST) break;
    }
    if (fd_ < 0) fail(target, errno);
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (fd_ >= 0) ::close(fd_);
    if (!committed_) ::unlink(path_.c_str());
  }

  int fd() const { return fd_; }

  void commit() {
    if (::fsync(fd_) != 0) fail(target_, errno);
    if (::close(std::exchange(fd_, -1)) != 0) fail(target_, errno);
    if (std::rename(path_.c_str(), target_.c_str()) != 0) fail(target_, errno);
    committed_ = true;
  }

 private:
  const std::string& target_;
  std::string path_;
  int fd_ = -1;
  bool committed_ = false;
};

/// Renaming over a device or a pipe would replace it, which nobody means who writes to /dev/null.
void expect_replaceable(const std::string& path) {
  if (path.empty() || path.back() == '/') {
    throw Error(ErrorCode::input, fmt::format("{}: can't be written: expected the name of a file", path));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0 || S_ISREG(status.st_mode)) return;
  throw Error(ErrorCode::input, fmt::format("{}: can't be written: expected a regular file, found {}", path,
                                            S_ISDIR(status.st_mode) ? "a folder" : "something else"));
}

/// Makes the new name itself durable.
void sync_folder_of(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;  // a folder may be writable and yet not readable; the file is in place by now
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL) fail(path, error);  // EINVAL: a file system that can't sync folders
}

}  // namespace

void FileWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(written));
    written_ += static_cast<uint64_t>(written);
    if (written_ - started_ >= kWritebackBytes) start_writeback();
  }
}

/// The disk works while more is written, so that less is left to do when the file is synced. Only for speed: what goes
/// wrong, fsync says.
void FileWriter::start_writeback() {
  ::sync_file_range(fd_, static_cast<off_t>(started_), static_cast<off_t>(written_ - started_), SYNC_FILE_RANGE_WRITE);
  started_ = written_;
}

void FileWriter::rewrite(uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, errno);
    offset += static_cast<uint64_t>(written);
    bytes = bytes.subspan(static_cast<size_t>(written));
  }
}

void write_file_atomically(const std::string& path, const std::function<void(FileWriter&)>& fill) {
  expect_replaceable(path);
  Temporary temporary(path);
  FileWriter writer(temporary.fd(), path);
  fill(writer);
  temporary.commit();
  sync_folder_of(path);
}

}  // namespace kvzip
