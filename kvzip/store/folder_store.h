// A store in a folder of context files. Every change is made under one lock of the folder and is durable when its
// function returns; readers take no lock, as files are complete whenever they can be seen. A process that dies leaves
// at most temporary files, which the next change removes. Nothing follows symbolic links out of the folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "kvzip/store/context_store.h"

namespace kvzip {

class FolderStore : public ContextStore {
 public:
  /// The store in `folder`, which is made (for its owner only) where it is missing. Throws Error{input} where it can't
  /// be made.
  FolderStore(const std::string& folder, const StoreOptions& options);
  FolderStore(const std::string& folder, uint64_t most_bytes)
      : FolderStore(folder, StoreOptions{.most_bytes = most_bytes}) {}

  const std::string& folder() const { return place(); }
  std::vector<StoreEntry> list() override;
  std::optional<ContextFile> find(const std::string& name) override;
  void touch(const std::string& name) override;
  using ContextStore::add;
  void add(const std::string& name, const Write& write, Pin pin) override;
  void remove(const std::string& name) override;
  void pin(const std::string& name, Pin pin) override;
  Freed collect(uint64_t most_bytes) override;

 private:
  std::string path_of(const std::string& name) const;
  std::string pin_path(const std::string& name) const;
  void expect(const std::string& name) const;
  void set_pin(const std::string& name, Pin pin);
  void remove_leftovers();
  Freed evict_from(uint64_t most_bytes, const std::string& spared);
  void sync_folder() const;
};

}  // namespace kvzip
