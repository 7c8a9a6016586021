#include "kvzip/cli/store_place.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdlib>
#include <optional>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/cli/keep_amount.h"
#include "kvzip/store/folder_store.h"
#include "kvzip/store/redis_store.h"

namespace kvzip::cli {
namespace {

constexpr uint64_t kDefaultSize = uint64_t{10} << 30U;

/// The environment is read before any thread is started.
std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

std::string default_place() {
  if (const auto named = variable("KVZIP_STORE")) return *named;
  if (const auto data = variable("XDG_DATA_HOME"); data && !data->empty()) return *data + "/kvzip";
  if (const auto home = variable("HOME"); home && !home->empty()) return *home + "/.local/share/kvzip";
  return {};
}

}  // namespace

void add_store_place_option(CLI::App& command, StoreFlags& flags) {
  command.add_option("--store", flags.place,
                     "The store: a folder, or redis://[user:password@]host[:port][/db] (default: $KVZIP_STORE, else "
                     "kvzip in $XDG_DATA_HOME or ~/.local/share)");
}

void add_store_options(CLI::App& command, StoreFlags& flags) {
  add_store_place_option(command, flags);
  command.add_flag("--no-store", flags.off, "Read the document even if the store has it, and don't store it");
}

std::unique_ptr<ContextStore> open_store(const StoreFlags& flags) {
  if (flags.off) return nullptr;
  const std::string place = flags.place.empty() ? default_place() : flags.place;
  if (place.empty()) return nullptr;
  StoreOptions options{.most_bytes = kDefaultSize};
  if (const auto size = variable("KVZIP_STORE_SIZE"); size && !size->empty())
    options.most_bytes = parse_bytes(*size, "KVZIP_STORE_SIZE");
  if (const auto key = variable("KVZIP_STORE_KEY"); key && !key->empty()) options.key = read_context_key(*key);
  if (is_redis_url(place)) return open_redis_store(parse_redis_url(place), options);
  if (place.find("://") != std::string::npos)
    throw Error(ErrorCode::usage, fmt::format("store: expected a folder or redis://..., found {}", quote(place, 60)));
  return std::make_unique<FolderStore>(place, options);
}

uint64_t parse_bytes(std::string_view text, std::string_view subject) {
  std::optional<KeepAmount> amount;
  try {
    amount = parse_keep(text);
  } catch (const Error&) {  // it speaks of --keep
    amount.reset();
  }
  // 2^60 bytes are beyond any disk.
  if (!amount || amount->unit != KeepAmount::Unit::bytes || amount->value > std::ldexp(1.0, 60)) {
    throw Error(ErrorCode::usage,
                fmt::format("{} {}: expected an amount of bytes, such as 500MiB or 10GiB", subject, quote(text, 40)));
  }
  return static_cast<uint64_t>(amount->value);
}

}  // namespace kvzip::cli
