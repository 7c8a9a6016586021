// A connection to a Redis server that isn't trusted: replies are bounded in bytes, elements and time, and whatever goes
// wrong becomes an Error of one line that names the server. Safe from any number of threads; commands that were sent
// together aren't mixed with others.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/store/redis_address.h"

struct redisReply;  // NOLINT(readability-identifier-naming): of hiredis

namespace kvzip {

struct RedisTimeouts {
  std::chrono::milliseconds connect{5'000};
  std::chrono::milliseconds reply{30'000};  ///< for each reply to be there, and each command to be taken
};

/// Words of one command, the name first; bytes of any kind.
using RedisCommand = std::vector<std::string>;

/// What the server answered. Cheap to copy; immutable.
class RedisReply {
 public:
  explicit RedisReply(std::shared_ptr<const redisReply> reply) : reply_(std::move(reply)) {}

  bool is_nil() const;
  bool is_error() const;
  /// Of a string, a status or an error; nothing for anything else.
  std::optional<std::string_view> text() const;
  std::optional<int64_t> number() const;
  /// Elements of an array; 0 for anything else.
  size_t size() const;
  RedisReply at(size_t element) const;

 private:
  std::shared_ptr<const redisReply> reply_;
};

class RedisConnection {
 public:
  /// Connects, gives the password and chooses the database. Throws Error{input}.
  RedisConnection(RedisAddress address, RedisTimeouts timeouts);
  ~RedisConnection();
  RedisConnection(const RedisConnection&) = delete;
  RedisConnection& operator=(const RedisConnection&) = delete;

  /// Sends all commands and returns their replies, which hold about `payload` bytes together at most, beside the few
  /// that any reply may take. Throws Error{input} where one is refused (once all were answered), where the server says
  /// more, or nothing for too long.
  std::vector<RedisReply> exchange(std::span<const RedisCommand> commands, uint64_t payload = 0);
  RedisReply command(const RedisCommand& command) { return exchange({&command, 1}).front(); }

  /// Connects anew where the connection was lost, or wasn't used for so long that it may have been.
  void refresh();
  /// The server's name, without the password.
  const std::string& place() const { return place_; }
  uint64_t bytes_received() const { return bytes_received_; }

 private:
  struct Link;  // hiredis stays behind this door
  void connect();
  void log_in();
  std::vector<RedisReply> converse(std::span<const RedisCommand> commands, uint64_t payload);
  void send(std::string_view bytes);
  std::shared_ptr<const redisReply> receive(uint64_t& budget);
  void read_some(uint64_t& budget, std::chrono::steady_clock::time_point deadline);
  void await(short events, std::chrono::steady_clock::time_point deadline);
  void refuse_errors(std::span<const RedisCommand> commands, std::span<const RedisReply> replies) const;
  [[noreturn]] void lose(const std::string& why);

  RedisAddress address_;
  RedisTimeouts timeouts_;
  std::string place_;
  std::mutex mutex_;
  std::unique_ptr<Link> link_;  // null = lost
  std::chrono::steady_clock::time_point used_{};
  uint64_t bytes_received_ = 0;
};

}  // namespace kvzip
