#include "kvzip/backend/cpu/cpu_memory.h"

#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kMapFrom = size_t{256} << 10;       ///< smaller blocks come from the heap
constexpr size_t kHugePagesFrom = size_t{4} << 20;   ///< from here on, 2 MiB pages save page faults and TLB misses
constexpr size_t kAskSystemFrom = size_t{64} << 20;  ///< reading /proc costs 50 us: only for blocks that could hurt
constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

[[noreturn]] void throw_no_memory(size_t bytes, size_t available) {
  throw Error(ErrorCode::memory, "out of memory: " + std::to_string(bytes >> 20) + " MiB (" + std::to_string(bytes) +
                                     " bytes) wanted, " + std::to_string(available >> 20) + " MiB available");
}

/// The number at the start of `path`, or `otherwise` where there is none ("max", no such file).
size_t number_in(const std::string& path, size_t otherwise) {
  std::ifstream file(path);
  size_t value = 0;
  return file >> value ? value : otherwise;
}

/// MemAvailable of /proc/meminfo in bytes.
size_t system_available() {
  std::ifstream file("/proc/meminfo");
  std::string key;
  size_t kib = 0;
  std::string unit;
  while (file >> key >> kib) {
    if (key == "MemAvailable:") return kib << 10;
    std::getline(file, unit);
  }
  return kUnlimited;
}

size_t headroom(size_t limit, size_t used) { return limit == kUnlimited ? kUnlimited : limit - std::min(limit, used); }

/// The control group `path` of this process and all groups above it: the tightest headroom of them.
size_t group_headroom(const std::string& root, std::string path, const char* limit_file, const char* used_file) {
  size_t least = kUnlimited;
  while (true) {
    const std::string folder = root + path + "/";
    least = std::min(least, headroom(number_in(folder + limit_file, kUnlimited), number_in(folder + used_file, 0)));
    if (path.empty()) return least;
    path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  }
}

/// Lines of /proc/self/cgroup read "id:controllers:path"; version 2 has no controllers.
size_t control_group_available() {
  std::ifstream file("/proc/self/cgroup");
  size_t least = kUnlimited;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':');
    const size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers(line.data() + first, second - first + 1);  // with the colons around it
    const std::string path = line.substr(second + 1) == "/" ? "" : line.substr(second + 1);
    if (controllers == "::") {
      least = std::min(least, group_headroom("/sys/fs/cgroup", path, "memory.max", "memory.current"));
    } else if (controllers.find("memory") != std::string_view::npos) {
      least = std::min(least,
                       group_headroom("/sys/fs/cgroup/memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
  }
  return least;
}

}  // namespace

void* acquire_cpu_memory(size_t bytes) {
  if (bytes >= kAskSystemFrom) {
    // The kernel promises more than it has; without this the process would be killed later instead.
    const size_t available = available_cpu_memory();
    if (bytes > available) throw_no_memory(bytes, available);
  }
  if (bytes < kMapFrom) {
    void* data = std::aligned_alloc(kAlignment, (bytes + kAlignment - 1) / kAlignment * kAlignment);
    if (data == nullptr) throw_no_memory(bytes, available_cpu_memory());
    return data;
  }
  void* data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) throw_no_memory(bytes, available_cpu_memory());
  if (bytes >= kHugePagesFrom) madvise(data, bytes, MADV_HUGEPAGE);  // a wish: failure changes nothing
  return data;
}

void release_cpu_memory(void* data, size_t bytes) noexcept {
  if (bytes < kMapFrom) {
    std::free(data);
  } else {
    munmap(data, bytes);
  }
}

size_t available_cpu_memory() { return std::min(system_available(), control_group_available()); }

size_t peak_cpu_memory() {
  rusage usage{};
  return ::getrusage(RUSAGE_SELF, &usage) == 0 ? static_cast<size_t>(usage.ru_maxrss) * 1024 : 0;
}

Scratch::~Scratch() {
  if (data_ != nullptr) release_cpu_memory(data_, bytes_);
}

void* Scratch::at_least(size_t bytes) {
  if (bytes > bytes_) {
    if (data_ != nullptr) release_cpu_memory(data_, bytes_);
    data_ = nullptr;
    bytes_ = 0;
    data_ = acquire_cpu_memory(bytes);
    bytes_ = bytes;
  }
  return data_;
}

}  // namespace kvzip
