// A store: a folder of context files named by what they hold, so that a document that was read once is found again.
//
// Safe for any number of processes and threads. Every change is made under one lock of the folder and is durable when
// its function returns; readers take no lock, as files are complete whenever they can be seen, and one that is open
// stays whole when it is replaced or removed. A process that dies leaves at most temporary files, which the next change
// removes. Nothing follows symbolic links out of the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "kvzip/store/context_file.h"

namespace kvzip {

struct StoreEntry {
  std::string name;  ///< its address
  uint64_t bytes = 0;
  int64_t used = 0;  ///< last time, in nanoseconds since 1970
  bool pinned = false;
};

class ContextStore {
 public:
  /// The store in `folder`, which is made (for its owner only) where it is missing. It should take at most
  /// `most_bytes`. Throws Error{input} where it can't be made.
  ContextStore(std::string folder, uint64_t most_bytes);

  const std::string& folder() const { return folder_; }
  uint64_t most_bytes() const { return most_bytes_; }
  /// All contexts, the last used first.
  std::vector<StoreEntry> list() const;
  /// The one name that `text` is, begins (four digits at least) or, failing that, is the title of. Throws Error{input}
  /// where there is none or several.
  std::string resolve(const std::string& text) const;

  /// Opens a context; nothing where there is none. Throws Error{input} where it is damaged.
  std::optional<ContextFile> find(const std::string& name) const;
  /// Marks it as just used.
  void touch(const std::string& name) const;

  enum class Pin : uint8_t { no, yes };
  /// Adds or replaces a context: `write` makes the file at the path it is given, of at most so many bytes. Then the
  /// least recently used ones that aren't pinned go until all fit.
  using Write = std::function<void(const std::string& path, uint64_t most_bytes)>;
  void add(const std::string& name, const Write& write, Pin pin = Pin::no);
  /// Throw Error{input} where there is no such context.
  void remove(const std::string& name);
  void pin(const std::string& name, Pin pin);

  struct Freed {
    size_t files = 0;
    uint64_t bytes = 0;
  };
  /// Removes least recently used contexts that aren't pinned until the rest takes at most `most_bytes`.
  Freed collect(uint64_t most_bytes);

 private:
  std::string path_of(const std::string& name) const;
  std::string pin_path(const std::string& name) const;
  void expect(const std::string& name) const;
  uint64_t pinned_bytes_beside(const std::string& name) const;
  void set_pin(const std::string& name, Pin pin);
  void remove_leftovers();
  Freed evict(uint64_t most_bytes, const std::string& spared);
  void sync_folder() const;

  std::string folder_;
  uint64_t most_bytes_;
};

}  // namespace kvzip
