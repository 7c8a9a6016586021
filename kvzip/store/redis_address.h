// Where a Redis server is, as people write it: redis://[user:password@]host[:port][/db]. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace kvzip {

struct RedisAddress {
  std::string host;
  uint16_t port = 6379;
  std::string user{};      ///< empty = the server's default user
  std::string password{};  ///< empty = none is asked for
  uint32_t database = 0;
};

/// Whether `text` means a server and not a folder: it begins with redis:// or rediss://.
bool is_redis_url(std::string_view text);

/// Bytes that a URL gives another meaning stand as %XX in user and password; IPv6 hosts stand in brackets. Throws
/// Error{usage}, which never shows the password.
RedisAddress parse_redis_url(std::string_view url);

/// redis://host:port/db, without user and password.
std::string shown(const RedisAddress& address);

}  // namespace kvzip
