// A store: contexts named by what they hold, so that a document that was read once is found again, here or on another
// machine. FolderStore keeps them as files, RedisStore on a server.
//
// One object serves one thread; any number of processes and machines may use the same store at once. A context is seen
// whole or not at all, one that is open stays whole when it is replaced or removed, and a process that dies leaves
// nothing that stays. What is read is checked as if a stranger had written it.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/base/byte_sink.h"
#include "kvzip/store/context_file.h"

namespace kvzip {

struct StoreEntry {
  std::string name;  ///< its address
  uint64_t bytes = 0;
  int64_t used = 0;  ///< last time, in nanoseconds since 1970
  bool pinned = false;
};

/// What a store is asked to be.
struct StoreOptions {
  uint64_t most_bytes = 0;          ///< that its contexts should take together
  std::optional<ContextKey> key{};  ///< contexts are written with it, and no others are opened
};

class ContextStore {
 public:
  ContextStore(const ContextStore&) = delete;
  ContextStore& operator=(const ContextStore&) = delete;
  virtual ~ContextStore() = default;

  /// Where it is, for people: a folder, or redis://host:port/db.
  const std::string& place() const { return place_; }
  const StoreOptions& options() const { return options_; }

  /// All contexts, the last used first.
  virtual std::vector<StoreEntry> list() = 0;
  /// The one name that `text` is, begins (four digits at least) or, failing that, is the title of. Throws Error{input}
  /// where there is none or several.
  std::string resolve(const std::string& text);

  /// Opens a context; nothing where there is none. Throws Error{input} where it is damaged.
  virtual std::optional<ContextFile> find(const std::string& name) = 0;
  /// Marks it as just used.
  virtual void touch(const std::string& name) = 0;

  enum class Pin : uint8_t { no, yes };
  /// Adds or replaces a context: `write` makes the bytes of its file, at most so many. Then the least recently used
  /// ones that aren't pinned go until all fit.
  using Write = std::function<void(ByteSink& out, uint64_t most_bytes)>;
  virtual void add(const std::string& name, const Write& write, Pin pin) = 0;
  void add(const std::string& name, const Write& write) { add(name, write, Pin::no); }
  /// Throw Error{input} where there is no such context.
  virtual void remove(const std::string& name) = 0;
  virtual void pin(const std::string& name, Pin pin) = 0;

  struct Freed {
    size_t files = 0;
    uint64_t bytes = 0;
  };
  /// Removes least recently used contexts that aren't pinned until the rest takes at most `most_bytes`.
  virtual Freed collect(uint64_t most_bytes) = 0;

 protected:
  ContextStore(std::string place, const StoreOptions& options) : place_(std::move(place)), options_(options) {}

  /// Throws Error{input} for what is no name of a context, so that nothing else becomes part of a path or a key.
  static void expect_name(const std::string& name);
  [[noreturn]] void fail_missing(const std::string& name) const;
  /// Bytes that a new context `name` may take beside what is pinned.
  uint64_t room_for(const std::string& name);

  /// Calls remove(entry) for the least recently used of `entries` (as list() has them) that are neither pinned nor
  /// `spared`, until the rest takes at most `most_bytes`.
  template <class Remove>
  static Freed evict(const std::vector<StoreEntry>& entries, uint64_t most_bytes, const std::string& spared,
                     const Remove& remove) {
    uint64_t total = 0;
    for (const StoreEntry& entry : entries) total += entry.bytes;
    Freed freed;
    for (auto entry = entries.rbegin(); entry != entries.rend() && total > most_bytes; ++entry) {
      if (entry->pinned || entry->name == spared) continue;
      remove(*entry);
      total -= entry->bytes;
      freed.bytes += entry->bytes;
      ++freed.files;
    }
    return freed;
  }

 private:
  std::string place_;
  StoreOptions options_;
};

/// The last used first.
void sort_by_use(std::vector<StoreEntry>& entries);

}  // namespace kvzip
