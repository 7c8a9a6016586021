#include "kvzip/store/redis_address.h"

#include <fmt/format.h>

#include <optional>

#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

constexpr std::string_view kScheme = "redis://";
constexpr std::string_view kEncryptedScheme = "rediss://";
constexpr uint32_t kMostDatabases = 1U << 16U;

[[noreturn]] void fail(const std::string& what) {
  throw Error(ErrorCode::usage, fmt::format("store: expected redis://[user:password@]host[:port][/db]: {}", what));
}

/// Undoes %XX.
std::string decoded(std::string_view text) {
  std::string plain;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      plain += text[i];
      continue;
    }
    const auto byte = i + 2 < text.size() ? parse_number<uint32_t>(text.substr(i + 1, 2), 16) : std::nullopt;
    if (!byte) fail("user and password: expected two hexadecimal digits after a %");
    plain += static_cast<char>(*byte);
    i += 2;
  }
  return plain;
}

/// Takes what stands before the last `mark` off `text`; nothing where there is no mark.
std::optional<std::string_view> take_before(std::string_view& text, char mark) {
  const size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view before = text.substr(0, at);
  text.remove_prefix(at + 1);
  return before;
}

void read_login(std::string_view login, RedisAddress& address) {
  const size_t colon = login.find(':');
  if (colon == std::string_view::npos) fail("a password stands behind a colon: user:password@ or :password@");
  address.user = decoded(login.substr(0, colon));
  address.password = decoded(login.substr(colon + 1));
  if (address.password.empty()) fail("the password is empty");
}

void read_port(std::string_view text, RedisAddress& address) {
  const auto port = parse_number<uint32_t>(text);
  if (!port || *port == 0 || *port > UINT16_MAX)
    fail(fmt::format("port: expected 1 to 65535, found {}", quote(text, 20)));
  address.port = static_cast<uint16_t>(*port);
}

void read_host_and_port(std::string_view text, RedisAddress& address) {
  if (text.starts_with('[')) {
    const size_t end = text.find(']');
    if (end == std::string_view::npos) fail("host: a bracket is missing");
    address.host = text.substr(1, end - 1);
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() != ':') fail("host: expected a colon and the port after the bracket");
  } else {
    address.host = text.substr(0, text.find(':'));
    text.remove_prefix(address.host.size());
  }
  if (address.host.empty()) fail("the host is missing");
  if (!text.empty()) read_port(text.substr(1), address);
}

}  // namespace

bool is_redis_url(std::string_view text) { return text.starts_with(kScheme) || text.starts_with(kEncryptedScheme); }

RedisAddress parse_redis_url(std::string_view url) {
  if (url.starts_with(kEncryptedScheme)) fail("rediss:// (TLS) is not supported; a tunnel can encrypt the connection");
  if (!url.starts_with(kScheme)) fail("it begins otherwise");
  std::string_view rest = url.substr(kScheme.size());
  RedisAddress address;
  if (const auto login = take_before(rest, '@')) read_login(*login, address);
  const size_t slash = rest.find('/');
  read_host_and_port(rest.substr(0, slash), address);
  if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    const auto database = parse_number<uint32_t>(rest.substr(slash + 1));
    if (!database || *database >= kMostDatabases)
      fail(fmt::format("db: expected a number below {}, found {}", kMostDatabases, quote(rest.substr(slash + 1), 20)));
    address.database = *database;
  }
  return address;
}

std::string shown(const RedisAddress& address) {
  const bool brackets = address.host.find(':') != std::string::npos;
  return fmt::format("redis://{}{}{}:{}/{}", brackets ? "[" : "", address.host, brackets ? "]" : "", address.port,
                     address.database);
}

}  // namespace kvzip
