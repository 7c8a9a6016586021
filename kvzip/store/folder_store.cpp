#include "kvzip/store/folder_store.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/error.h"
#include "kvzip/store/context_address.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kFileSuffix = ".kvz";
constexpr std::string_view kPinSuffix = ".pin";
constexpr std::string_view kTemporarySuffix = ".tmp";

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

FolderStore::FolderStore(const std::string& folder, const StoreOptions& options) : ContextStore(folder, options) {
  if (fs::is_directory(folder)) return;
  std::error_code error;
  const fs::path parent = fs::path(folder).parent_path();
  if (!parent.empty()) fs::create_directories(parent, error);
  // Documents are private: the folder is, whatever the mask says.
  if (error || (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST))
    fail(folder, "can't be made", error ? error.value() : errno);
  if (!fs::is_directory(folder, error)) throw Error(ErrorCode::input, folder + ": expected a folder");
}

std::string FolderStore::path_of(const std::string& name) const {
  expect_name(name);
  return fmt::format("{}/{}{}", folder(), name, kFileSuffix);
}

std::string FolderStore::pin_path(const std::string& name) const {
  return fmt::format("{}/{}{}", folder(), name, kPinSuffix);
}

std::vector<StoreEntry> FolderStore::list() {
  std::vector<StoreEntry> entries;
  for (const std::string& file : names_in(folder())) {
    const std::string name = address_of(file, kFileSuffix);
    if (name.empty()) continue;
    const auto status = regular_file(folder() + "/" + file);
    if (!status) continue;  // removed by now
    entries.push_back({name, static_cast<uint64_t>(status->st_size),
                       status->st_mtim.tv_sec * 1'000'000'000 + status->st_mtim.tv_nsec,
                       regular_file(pin_path(name)).has_value()});
  }
  sort_by_use(entries);
  return entries;
}

std::optional<ContextFile> FolderStore::find(const std::string& name) {
  const std::string path = path_of(name);
  if (!regular_file(path)) return std::nullopt;
  try {
    return ContextFile::open(path, {.key = options().key, .links = Links::refuse});
  } catch (const Error&) {
    if (!regular_file(path)) return std::nullopt;  // removed in between
    throw;
  }
}

void FolderStore::touch(const std::string& name) {
  // A store that may only be read works too; then nothing is evicted from it either.
  ::utimensat(AT_FDCWD, path_of(name).c_str(), nullptr, AT_SYMLINK_NOFOLLOW);
}

void FolderStore::add(const std::string& name, const Write& write, Pin pin) {
  const std::string path = path_of(name);
  const FolderLock lock(folder());
  remove_leftovers();
  const uint64_t room = room_for(name);
  const bool was_pinned = regular_file(pin_path(name)).has_value();
  if (pin == Pin::yes) set_pin(name, pin);
  try {
    write_file_atomically(path, [&](FileWriter& out) { write(out, room); });
  } catch (...) {
    if (pin == Pin::yes && !was_pinned) ::unlink(pin_path(name).c_str());
    throw;
  }
  evict_from(options().most_bytes, name);
}

void FolderStore::expect(const std::string& name) const {
  if (!regular_file(path_of(name))) fail_missing(name);
}

void FolderStore::remove(const std::string& name) {
  const FolderLock lock(folder());
  expect(name);
  remove_file(path_of(name));
  remove_file(pin_path(name));
  sync_folder();
}

void FolderStore::pin(const std::string& name, Pin pin) {
  const FolderLock lock(folder());
  expect(name);
  set_pin(name, pin);
}

void FolderStore::set_pin(const std::string& name, Pin pin) {
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

ContextStore::Freed FolderStore::collect(uint64_t most_bytes) {
  const FolderLock lock(folder());
  remove_leftovers();
  return evict_from(most_bytes, {});
}

/// What processes that died left: all files are made under the lock, so none of these belongs to a living one.
void FolderStore::remove_leftovers() {
  for (const std::string& file : names_in(folder())) {
    const std::string pinned = address_of(file, kPinSuffix);
    const bool orphan = !pinned.empty() && !regular_file(path_of(pinned));
    if (orphan || (file.ends_with(kTemporarySuffix) && is_context_address(file.substr(0, file.find('.')))))
      remove_file(folder() + "/" + file);
  }
}

ContextStore::Freed FolderStore::evict_from(uint64_t most_bytes, const std::string& spared) {
  const Freed freed =
      evict(list(), most_bytes, spared, [this](const StoreEntry& entry) { remove_file(path_of(entry.name)); });
  if (freed.files > 0) sync_folder();
  return freed;
}

void FolderStore::sync_folder() const {
  const int fd = ::open(folder().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) fail(folder(), "can't be opened", errno);
  const int error = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (error != 0 && error != EINVAL) fail(folder(), "can't be synced", error);
}

}  // namespace kvzip
