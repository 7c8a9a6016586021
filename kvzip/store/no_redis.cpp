// Stands in for redis_store.cpp and what it uses in a build without hiredis.
#include "kvzip/base/error.h"
#include "kvzip/store/redis_store.h"

namespace kvzip {

std::unique_ptr<ContextStore> open_redis_store(const RedisAddress& address, const StoreOptions&) {
  throw Error(ErrorCode::unsupported, shown(address) + ": this program was built without Redis (no hiredis was found)");
}

}  // namespace kvzip
