#include "kvzip/store/context_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "kvzip/base/check.h"
#include "kvzip/base/quote.h"
#include "kvzip/store/context_address.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileSuffix = ".kvz";
constexpr std::string_view kPinSuffix = ".pin";
constexpr std::string_view kTemporarySuffix = ".tmp";
constexpr size_t kShortestPrefix = 4;

[[noreturn]] void fail(const std::string& path, const char* what, int error) {
  throw Error(ErrorCode::input, fmt::format("{}: {}: {}", path, what, std::generic_category().message(error)));
}

/// Holds the folder's lock; the system lets go of it when a process dies.
class FolderLock {
 public:
  explicit FolderLock(const std::string& folder) {
    const std::string path = folder + "/lock";
    fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd_ < 0) fail(path, "can't be opened", errno);
    while (::flock(fd_, LOCK_EX) != 0) {
      if (errno == EINTR) continue;
      const int error = errno;
      ::close(fd_);
      fail(path, "can't be locked", error);
    }
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;
  ~FolderLock() { ::close(fd_); }

 private:
  int fd_;
};

/// Nothing where it isn't a regular file itself.
std::optional<struct stat> regular_file(const std::string& path) {
  struct stat status {};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return status;
}

void remove_file(const std::string& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) fail(path, "can't be removed", errno);
}

std::vector<std::string> names_in(const std::string& folder) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator each(folder, error), end; !error && each != end; each.increment(error))
    names.push_back(each->path().filename().string());
  if (error) throw Error(ErrorCode::input, fmt::format("{}: can't be read: {}", folder, error.message()));
  return names;
}

/// The address of a file with that suffix; empty for other files.
std::string address_of(const std::string& file, std::string_view suffix) {
  if (!file.ends_with(suffix)) return {};
  std::string name = file.substr(0, file.size() - suffix.size());
  return is_context_address(name) ? name : std::string();
}

}  // namespace

ContextStore::ContextStore(std::string folder, uint64_t most_bytes)
    : folder_(std::move(folder)), most_bytes_(most_bytes) {
  if (fs::is_directory(folder_)) return;
  std::error_code error;
  const fs::path parent = fs::path(folder_).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  // Documents are private: the folder is, whatever the mask says.
  if (error || (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST))
    fail(folder_, "can't be made", error ? error.value() : errno);
  if (!fs::is_directory(folder_, error)) throw Error(ErrorCode::input, folder_ + ": expected a folder");
}

std::string ContextStore::path_of(const std::string& name) const {
  if (!is_context_address(name))
    throw Error(ErrorCode::input, fmt::format("{}: expected the 32 digits of a context's name", quote(name, 40)));
  return fmt::format("{}/{}{}", folder_, name, kFileSuffix);
}

std::string ContextStore::pin_path(const std::string& name) const {
  return fmt::format("{}/{}{}", folder_, name, kPinSuffix);
}

std::vector<StoreEntry> ContextStore::list() const {
  std::vector<StoreEntry> entries;
  for (const std::string& file : names_in(folder_)) {
    const std::string name = address_of(file, kFileSuffix);
    if (name.empty()) continue;
    const auto status = regular_file(folder_ + "/" + file);
    if (!status) continue;  // removed by now
    entries.push_back({name, static_cast<uint64_t>(status->st_size),
                       status->st_mtim.tv_sec * 1'000'000'000 + status->st_mtim.tv_nsec,
                       regular_file(pin_path(name)).has_value()});
  }
  std::sort(entries.begin(), entries.end(), [](const StoreEntry& a, const StoreEntry& b) {
    return a.used != b.used ? a.used > b.used : a.name < b.name;
  });
  return entries;
}

std::string ContextStore::resolve(const std::string& text) const {
  std::vector<std::string> found;
  const std::vector<StoreEntry> entries = list();
  for (const StoreEntry& entry : entries) {
    if (entry.name == text || (text.size() >= kShortestPrefix && entry.name.starts_with(text)))
      found.push_back(entry.name);
  }
  if (found.empty()) {
    for (const StoreEntry& entry : entries) {
      try {
        if (const auto file = find(entry.name); file && file->description().title == text) found.push_back(entry.name);
      } catch (const Error&) {
        continue;  // a damaged file has no title
      }
    }
  }
  if (found.size() == 1) return found.front();
  throw Error(ErrorCode::input,
              fmt::format("{}: expected the name, its first digits or the title of one context in {}, "
                          "found {}",
                          quote(text, 60), folder_, found.empty() ? "none" : "several"));
}

std::optional<ContextFile> ContextStore::find(const std::string& name) const {
  const std::string path = path_of(name);
  if (!regular_file(path)) return std::nullopt;
  try {
    return ContextFile::open(path, {.key = {}, .links = Links::refuse});
  } catch (const Error&) {
    if (!regular_file(path)) return std::nullopt;  // removed in between
    throw;
  }
}

void ContextStore::touch(const std::string& name) const {
  // A store that may only be read works too; then nothing is evicted from it either.
  ::utimensat(AT_FDCWD, path_of(name).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

void ContextStore::add(const std::string& name, const Write& write, Pin pin) {
  const std::string path = path_of(name);
  const FolderLock lock(folder_);
  remove_leftovers();
  const uint64_t pinned = pinned_bytes_beside(name);
  const bool was_pinned = regular_file(pin_path(name)).has_value();
  if (pin == Pin::yes) set_pin(name, pin);
  try {
    write(path, most_bytes_ - std::min(pinned, most_bytes_));
  } catch (...) {
    if (pin == Pin::yes && !was_pinned) ::unlink(pin_path(name).c_str());
    throw;
  }
  evict(most_bytes_, name);
}

void ContextStore::expect(const std::string& name) const {
  const std::string path = path_of(name);
  if (!regular_file(path)) throw Error(ErrorCode::input, fmt::format("{}: no such context in {}", name, folder_));
}

void ContextStore::remove(const std::string& name) {
  const FolderLock lock(folder_);
  expect(name);
  remove_file(path_of(name));
  remove_file(pin_path(name));
  sync_folder();
}

void ContextStore::pin(const std::string& name, Pin pin) {
  const FolderLock lock(folder_);
  expect(name);
  set_pin(name, pin);
}

void ContextStore::set_pin(const std::string& name, Pin pin) {
  const std::string path = pin_path(name);
  if (pin == Pin::no) {
    remove_file(path);
  } else {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) fail(path, "can't be made", errno);
    ::close(fd);
  }
  sync_folder();
}

ContextStore::Freed ContextStore::collect(uint64_t most_bytes) {
  const FolderLock lock(folder_);
  remove_leftovers();
  return evict(most_bytes, {});
}

uint64_t ContextStore::pinned_bytes_beside(const std::string& name) const {
  uint64_t bytes = 0;
  for (const StoreEntry& entry : list()) {
    if (entry.pinned && entry.name != name) bytes += entry.bytes;
  }
  return bytes;
}

/// What processes that died left: all files are made under the lock, so none of these belongs to a living one.
void ContextStore::remove_leftovers() {
  for (const std::string& file : names_in(folder_)) {
    const std::string pinned = address_of(file, kPinSuffix);
    const bool orphan = !pinned.empty() && !regular_file(path_of(pinned));
    if (orphan || (file.ends_with(kTemporarySuffix) && is_context_address(file.substr(0, file.find('.')))))
      remove_file(folder_ + "/" + file);
  }
}

ContextStore::Freed ContextStore::evict(uint64_t most_bytes, const std::string& spared) {
  std::vector<StoreEntry> entries = list();
  uint64_t total = 0;
  for (const StoreEntry& entry : entries) total += entry.bytes;
  Freed freed;
  for (auto entry = entries.rbegin(); entry != entries.rend() && total > most_bytes; ++entry) {
    if (entry->pinned || entry->name == spared) continue;
    remove_file(path_of(entry->name));
    total -= entry->bytes;
    freed.bytes += entry->bytes;
    ++freed.files;
  }
  if (freed.files > 0) sync_folder();
  return freed;
}

void ContextStore::sync_folder() const {
  const int fd = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(folder_, "can't be opened", errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL) fail(folder_, "can't be synced", error);
}

}  // namespace kvzip
