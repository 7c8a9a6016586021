#include "kvzip/store/redis_connection.h"

#include <fmt/format.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <system_error>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds kIdle{20};  // servers and networks drop connections that nobody uses
constexpr size_t kReadBytes = size_t{1} << 18U;
constexpr uint64_t kSmallReply = uint64_t{1} << 16U;
constexpr uint64_t kReplyOverhead = 128;  // "$1048576", "+QUEUED", an integer, a line with what went wrong
constexpr uint64_t kMostElements = uint64_t{1} << 20U;

std::string message_of(int error) { return std::generic_category().message(error); }

timeval to_timeval(std::chrono::milliseconds time) {
  return {static_cast<time_t>(time.count() / 1000), static_cast<suseconds_t>(time.count() % 1000 * 1000)};
}

void append(std::string& out, const RedisCommand& command) {
  out += fmt::format("*{}\r\n", command.size());
  for (const std::string& word : command) {
    out += fmt::format("${}\r\n", word.size());
    out += word;
    out += "\r\n";
  }
}

redisReplyObjectFunctions functions_of_hiredis() {
  redisReader* reader = ::redisReaderCreate();
  if (reader == nullptr) throw std::bad_alloc();
  const redisReplyObjectFunctions functions = *reader->fn;
  ::redisReaderFree(reader);
  return functions;
}

/// hiredis by itself allocates as many elements as the server announces.
redisReplyObjectFunctions* bounded_functions() {
  static const redisReplyObjectFunctions kOriginal = functions_of_hiredis();
  static redisReplyObjectFunctions bounded = [] {
    redisReplyObjectFunctions changed = kOriginal;
    changed.createArray = [](const redisReadTask* task, auto elements) -> void* {
      return elements >= 0 && static_cast<uint64_t>(elements) <= kMostElements ? kOriginal.createArray(task, elements)
                                                                               : nullptr;
    };
    return changed;
  }();
  return &bounded;
}

}  // namespace

bool RedisReply::is_nil() const { return reply_->type == REDIS_REPLY_NIL; }
bool RedisReply::is_error() const { return reply_->type == REDIS_REPLY_ERROR; }

std::optional<std::string_view> RedisReply::text() const {
  const int type = reply_->type;
  if (type != REDIS_REPLY_STRING && type != REDIS_REPLY_STATUS && type != REDIS_REPLY_ERROR) return std::nullopt;
  return std::string_view(reply_->str, reply_->len);
}

std::optional<int64_t> RedisReply::number() const {
  return reply_->type == REDIS_REPLY_INTEGER ? std::optional<int64_t>(reply_->integer) : std::nullopt;
}

size_t RedisReply::size() const { return reply_->type == REDIS_REPLY_ARRAY ? reply_->elements : 0; }

RedisReply RedisReply::at(size_t element) const {
  check(element < size(), "an element of the reply");
  return RedisReply({reply_, reply_->element[element]});
}

struct RedisConnection::Link {
  explicit Link(redisContext* opened) : context(opened) {}
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  ~Link() { ::redisFree(context); }

  redisContext* context;
  std::vector<char> buffer = std::vector<char>(kReadBytes);
};

RedisConnection::RedisConnection(RedisAddress address, RedisTimeouts timeouts)
    : address_(std::move(address)), timeouts_(timeouts), place_(shown(address_)) {
  connect();
}

RedisConnection::~RedisConnection() = default;

void RedisConnection::connect() {
  link_.reset();
  redisContext* const context =
      ::redisConnectWithTimeout(address_.host.c_str(), address_.port, to_timeval(timeouts_.connect));
  if (context == nullptr) throw std::bad_alloc();
  link_ = std::make_unique<Link>(context);
  if (context->err != 0) lose(std::string("can't be reached: ") + context->errstr);
  context->reader->fn = bounded_functions();
  try {
    log_in();
  } catch (const Error&) {
    link_.reset();  // nobody may use it without having logged in
    throw;
  }
}

void RedisConnection::log_in() {
  std::vector<RedisCommand> commands;
  if (!address_.password.empty()) {
    RedisCommand& login = commands.emplace_back(RedisCommand{"AUTH"});
    if (!address_.user.empty()) login.push_back(address_.user);
    login.push_back(address_.password);
  }
  commands.push_back({"SELECT", std::to_string(address_.database)});
  converse(commands, 0);
}

void RedisConnection::refresh() {
  const std::lock_guard lock(mutex_);
  if (!link_ || Clock::now() - used_ > kIdle) connect();
}

std::vector<RedisReply> RedisConnection::exchange(std::span<const RedisCommand> commands, uint64_t payload) {
  const std::lock_guard lock(mutex_);
  return converse(commands, payload);
}

std::vector<RedisReply> RedisConnection::converse(std::span<const RedisCommand> commands, uint64_t payload) {
  if (!link_) throw Error(ErrorCode::input, place_ + ": the connection was lost");
  std::string bytes;
  for (const RedisCommand& command : commands) append(bytes, command);
  send(bytes);
  std::vector<RedisReply> replies;
  uint64_t budget = kSmallReply + commands.size() * kReplyOverhead + payload;
  while (replies.size() < commands.size()) replies.emplace_back(receive(budget));
  used_ = Clock::now();
  refuse_errors(commands, replies);
  return replies;
}

void RedisConnection::refuse_errors(std::span<const RedisCommand> commands, std::span<const RedisReply> replies) const {
  const auto refuse = [&](const RedisCommand& command, const RedisReply& reply) {
    if (!reply.is_error()) return;
    const std::string_view why = *reply.text();
    if (why.starts_with("OOM "))
      throw Error(ErrorCode::input, place_ + ": is full: the server holds as much as its maxmemory allows");
    throw Error(ErrorCode::input, fmt::format("{}: refused {}: {}", place_, command.front(), quote(why, 120)));
  };
  for (size_t i = 0; i < replies.size(); ++i) {
    refuse(commands[i], replies[i]);
    for (size_t element = 0; element < replies[i].size(); ++element) refuse(commands[i], replies[i].at(element));
  }
}

/// After this, what the server still sends has no meaning.
void RedisConnection::lose(const std::string& why) {
  link_.reset();
  throw Error(ErrorCode::input, fmt::format("{}: {}", place_, why));
}

void RedisConnection::await(short events, Clock::time_point deadline) {
  pollfd waiting{link_->context->fd, events, 0};
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0) lose(fmt::format("no answer in {:g} s", static_cast<double>(timeouts_.reply.count()) / 1000));
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) lose("connection lost: " + message_of(errno));
  }
}

void RedisConnection::send(std::string_view bytes) {
  auto deadline = Clock::now() + timeouts_.reply;
  while (!bytes.empty()) {
    const ssize_t sent = ::send(link_->context->fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      bytes.remove_prefix(static_cast<size_t>(sent));
      deadline = Clock::now() + timeouts_.reply;
    } else if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      await(POLLOUT, deadline);
    } else if (sent < 0 && errno != EINTR) {
      lose("connection lost: " + message_of(errno));
    }
  }
}

std::shared_ptr<const redisReply> RedisConnection::receive(uint64_t& budget) {
  redisReader* reader = link_->context->reader;
  const auto deadline = Clock::now() + timeouts_.reply;
  for (;;) {
    void* reply = nullptr;
    if (::redisReaderGetReply(reader, &reply) != REDIS_OK)
      lose(fmt::format("expected a Redis server's reply, found something else ({})", quote(reader->errstr, 60)));
    if (reply != nullptr) {
      return {static_cast<redisReply*>(reply),
              [](const redisReply* each) { ::freeReplyObject(const_cast<redisReply*>(each)); }};
    }
    read_some(budget, deadline);
  }
}

void RedisConnection::read_some(uint64_t& budget, Clock::time_point deadline) {
  std::vector<char>& buffer = link_->buffer;
  await(POLLIN, deadline);
  const ssize_t got = ::recv(link_->context->fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return;
  if (got < 0) lose("connection lost: " + message_of(errno));
  if (got == 0) lose("connection lost: the server closed it");
  bytes_received_ += static_cast<uint64_t>(got);
  if (static_cast<uint64_t>(got) > budget) lose("expected a shorter reply");
  budget -= static_cast<uint64_t>(got);
  if (::redisReaderFeed(link_->context->reader, buffer.data(), static_cast<size_t>(got)) != REDIS_OK)
    throw std::bad_alloc();
}

}  // namespace kvzip
