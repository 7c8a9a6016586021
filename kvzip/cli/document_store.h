// The store as commands use it by themselves: a document that was read before is found, one that is read is added.
// Used by one thread.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvzip/cli/context_files.h"
#include "kvzip/cli/store_place.h"

namespace kvzip::cli {

class DocumentStore {
 public:
  /// Where the store can't be used and wasn't named by the user, says so on `bar` and is off.
  DocumentStore(const StoreFlags& flags, ProgressBar& bar);

  bool is_on() const { return store_ != nullptr; }
  /// The document's context at the ratio that `keep` asks for; nothing where it isn't there, holds less or is damaged.
  std::optional<OpenedContext> open(const Engine& engine, const std::string& address, const KeepFlags& keep,
                                    const ReadingFlags& reading);
  /// Adds a context. What goes wrong is said on the bar: the answer matters more.
  void add(const std::string& address, const Context& context, const ContextOrigin& origin);

 private:
  std::unique_ptr<ContextStore> store_;
  ProgressBar* bar_;
};

/// The name of the document's context, made with these flags. The model must have a tokenizer.
std::string document_address(const Engine& engine, std::string_view text, const KeepFlags& keep,
                             const ReadingFlags& reading);

/// The context of that name in the store, if it holds `keep` of the document; nothing where it isn't there or holds
/// less. Throws Error{input} where it is damaged or another document's.
std::optional<ContextFile> find_kept(ContextStore& store, const std::string& address, const KeepFlags& keep);

/// The same for a fraction of the document.
std::optional<ContextFile> find_kept(ContextStore& store, const std::string& address, double ratio);

/// Adds it; throws what goes wrong.
uint64_t add_to_store(ContextStore& store, const std::string& address, const Context& context,
                      const ContextOrigin& origin, ContextStore::Pin pin, ProgressBar& bar);

}  // namespace kvzip::cli
