// Which store the commands use, and how large it may get. Reads the environment.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kvzip/store/context_store.h"

namespace CLI {
class App;
}

namespace kvzip::cli {

struct StoreFlags {
  std::string place;  ///< of --store; empty = by the environment
  bool off = false;   ///< --no-store
};
/// `--store`, and for commands that use the store by themselves `--no-store`.
void add_store_options(CLI::App& command, StoreFlags& flags);
void add_store_place_option(CLI::App& command, StoreFlags& flags);

/// The store: --store, else $KVZIP_STORE (empty = none), else kvzip in $XDG_DATA_HOME or ~/.local/share; a folder, or a
/// server where it begins with redis://. Null where it is turned off. Throws Error{input} where its folder can't be
/// made, the server can't be used or $KVZIP_STORE_KEY names no key, Error{usage} for a $KVZIP_STORE_SIZE that is no
/// amount of bytes.
std::unique_ptr<ContextStore> open_store(const StoreFlags& flags);

/// "10GiB" in bytes. Throws Error{usage} that begins with `subject`.
uint64_t parse_bytes(std::string_view text, std::string_view subject);

}  // namespace kvzip::cli
