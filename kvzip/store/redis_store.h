// A store on a Redis server, so that machines share contexts (docs/store_format.md has its keys). Changes are made at
// once and are as durable as the server's own settings make them. A context that is replaced or removed stays readable
// for a minute to those who have it open; what a writer that died left goes after an hour.
#pragma once

#include <memory>

#include "kvzip/store/context_store.h"
#include "kvzip/store/redis_address.h"

namespace kvzip {

/// Connects to the server. Throws Error{input} where that fails, Error{unsupported} in a build without hiredis.
std::unique_ptr<ContextStore> open_redis_store(const RedisAddress& address, const StoreOptions& options);

}  // namespace kvzip
