#include "kvzip/store/redis_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/redis_connection.h"
#include "kvzip/store/redis_pieces.h"

namespace kvzip {
namespace {

constexpr const char* kUsed = "kvzip:1:used";  // a sorted set: names by the microsecond of their last use
constexpr const char* kGrace = "60";           // seconds that those who have a context open can still read it
constexpr size_t kPageEntries = 256;
constexpr size_t kMostEntries = 100'000;
constexpr int kAttempts = 100;  // at a change that others come before

std::string entry_key(const std::string& name) { return "kvzip:1:context:" + name; }

/// A number below `most` that the server holds as text.
std::optional<uint64_t> number_in(std::optional<std::string_view> text, uint64_t most) {
  const auto value = text ? parse_number<uint64_t>(*text) : std::nullopt;
  return value && *value < most ? value : std::nullopt;
}

/// What an entry says of a context.
struct Held {
  RedisPieces pieces;
  bool pinned = false;
};

class RedisStore : public ContextStore {
 public:
  RedisStore(const RedisAddress& address, const StoreOptions& options)
      : ContextStore(shown(address), options),
        connection_(std::make_shared<RedisConnection>(address, RedisTimeouts{})) {}

  std::vector<StoreEntry> list() override {
    connection_->refresh();
    std::vector<StoreEntry> entries;
    for (size_t first = 0;; first += kPageEntries) {
      const RedisReply page = connection_->command(
          {"ZREVRANGE", kUsed, std::to_string(first), std::to_string(first + kPageEntries - 1), "WITHSCORES"});
      if (page.size() == 0) break;
      if (entries.size() + page.size() > kMostEntries) fail_damaged("more contexts than any store has");
      read_page(page, entries);
    }
    sort_by_use(entries);
    return entries;
  }

  std::optional<ContextFile> find(const std::string& name) override {
    expect_name(name);
    connection_->refresh();
    const std::optional<Held> found = held(name);
    if (!found) return std::nullopt;
    const std::string path = place() + "/" + name;
    return ContextFile(std::make_shared<RedisByteSource>(connection_, found->pieces, path), path, options().key);
  }

  void touch(const std::string& name) override {
    expect_name(name);
    try {
      connection_->command({"ZADD", kUsed, "XX", now(), name});
    } catch (const Error&) {
      return;  // only the order of eviction knows less: a server that may only be read works too
    }
  }

  using ContextStore::add;
  void add(const std::string& name, const Write& write, Pin pin) override {
    expect_name(name);
    connection_->refresh();
    RedisPieceWriter writer(*connection_);
    write(writer, room_for(name));
    const RedisPieces pieces = writer.finish();
    change(name, [&](const std::optional<Held>& old) {
      expect_all(pieces);
      std::vector<RedisCommand> commands = for_each_piece(pieces, {"PERSIST"});
      commands.push_back({"HSET", entry_key(name), "bytes", std::to_string(pieces.bytes), "upload", pieces.upload});
      if (pin == Pin::yes) commands.back().insert(commands.back().end(), {"pinned", "1"});
      commands.push_back({"ZADD", kUsed, now(), name});
      if (old) append(commands, for_each_piece(old->pieces, {"EXPIRE"}, kGrace));
      return commands;
    });
    writer.keep();
    evict_to(options().most_bytes, name);
  }

  void remove(const std::string& name) override {
    expect_name(name);
    connection_->refresh();
    change(name, [&](const std::optional<Held>& old) {
      if (!old) fail_missing(name);
      return removal(name, *old);
    });
  }

  void pin(const std::string& name, Pin pin) override {
    expect_name(name);
    connection_->refresh();
    change(name, [&](const std::optional<Held>& old) -> std::vector<RedisCommand> {
      if (!old) fail_missing(name);
      if (pin == Pin::no) return {{"HDEL", entry_key(name), "pinned"}};
      return {{"HSET", entry_key(name), "pinned", "1"}};
    });
  }

  Freed collect(uint64_t most_bytes) override {
    connection_->refresh();
    return evict_to(most_bytes, {});
  }

 private:
  [[noreturn]] void fail_damaged(const std::string& what) const {
    throw Error(ErrorCode::input, fmt::format("{}: damaged: {}", place(), what));
  }

  static RedisCommand ask_entry(const std::string& name) {
    return {"HMGET", entry_key(name), "bytes", "upload", "pinned"};
  }

  std::optional<Held> read_entry(const std::string& name, const RedisReply& reply) const {
    if (reply.size() != 3) fail_damaged("expected three fields of a context");
    if (reply.at(0).is_nil() && reply.at(1).is_nil()) return std::nullopt;
    const auto bytes = number_in(reply.at(0).text(), RedisPieces::kMostBytes);
    const std::string upload(reply.at(1).text().value_or(""));
    if (!bytes || *bytes < kHeaderBytes || !is_context_address(upload))  // uploads' names have the same form
      fail_damaged(fmt::format("{}: expected the size and the upload of a context", name));
    return Held{{upload, *bytes}, !reply.at(2).is_nil()};
  }

  std::optional<Held> held(const std::string& name) { return read_entry(name, connection_->command(ask_entry(name))); }

  void read_page(const RedisReply& page, std::vector<StoreEntry>& entries) {
    std::vector<StoreEntry> found;
    std::vector<RedisCommand> questions;
    for (size_t i = 0; i + 1 < page.size(); i += 2) {
      const std::string name(page.at(i).text().value_or(""));
      const auto used = number_in(page.at(i + 1).text(), uint64_t{1} << 53U);
      if (!is_context_address(name) || !used)
        fail_damaged(quote(name, 40) + ": expected a context and when it was used");
      found.push_back({.name = name, .used = static_cast<int64_t>(*used) * 1000});
      questions.push_back(ask_entry(name));
    }
    const std::vector<RedisReply> answers = connection_->exchange(questions);
    for (size_t i = 0; i < found.size(); ++i) {
      const std::optional<Held> entry = read_entry(found[i].name, answers[i]);
      if (!entry) continue;  // removed by now
      found[i].bytes = entry->pieces.bytes;
      found[i].pinned = entry->pinned;
      entries.push_back(found[i]);
    }
  }

  /// Microseconds since 1970 by the server's clock, which all machines share.
  std::string now() {
    const RedisReply time = connection_->command({"TIME"});
    const auto part = [&](size_t i, uint64_t most) {
      return time.size() == 2 ? number_in(time.at(i).text(), most) : std::nullopt;
    };
    const auto seconds = part(0, uint64_t{1} << 32U);
    const auto micros = part(1, 1'000'000);
    if (!seconds || !micros) fail_damaged("expected the server's time");
    return std::to_string(*seconds * 1'000'000 + *micros);
  }

  /// A server that is short of memory may have dropped what is to expire.
  void expect_all(const RedisPieces& pieces) {
    RedisCommand exist = {"EXISTS"};
    for (uint64_t piece = 0; piece < pieces.count(); ++piece) exist.push_back(pieces.key(piece));
    const auto found = connection_->command(exist).number();
    if (found == static_cast<int64_t>(pieces.count())) return;
    throw Error(ErrorCode::input, fmt::format("{}: expected {} pieces that were just written, found {}", place(),
                                              pieces.count(), found.value_or(0)));
  }

  static std::vector<RedisCommand> for_each_piece(const RedisPieces& pieces, const RedisCommand& command,
                                                  const std::string& last = {}) {
    std::vector<RedisCommand> commands;
    for (uint64_t piece = 0; piece < pieces.count(); ++piece) {
      commands.push_back(command);
      commands.back().push_back(pieces.key(piece));
      if (!last.empty()) commands.back().push_back(last);
    }
    return commands;
  }
  static void append(std::vector<RedisCommand>& commands, std::vector<RedisCommand> more) {
    std::move(more.begin(), more.end(), std::back_inserter(commands));
  }
  static std::vector<RedisCommand> removal(const std::string& name, const Held& old) {
    std::vector<RedisCommand> commands = {{"DEL", entry_key(name)}, {"ZREM", kUsed, name}};
    append(commands, for_each_piece(old.pieces, {"EXPIRE"}, kGrace));
    return commands;
  }

  /// Runs the commands that `make` wants for the entry as it is, all at once; again where somebody changed it between.
  template <class Make>
  void change(const std::string& name, const Make& make) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      const RedisCommand watch = {"WATCH", entry_key(name)};
      connection_->command(watch);
      std::vector<RedisCommand> commands;
      try {
        commands = make(held(name));
      } catch (...) {
        connection_->command({"UNWATCH"});
        throw;
      }
      if (commands.empty()) {
        connection_->command({"UNWATCH"});
        return;
      }
      commands.insert(commands.begin(), {"MULTI"});
      commands.push_back({"EXEC"});
      if (!connection_->exchange(commands).back().is_nil()) return;
    }
    throw Error(ErrorCode::input, fmt::format("{}: {}: others change it all the time", place(), name));
  }

  Freed evict_to(uint64_t most_bytes, const std::string& spared) {
    return evict(list(), most_bytes, spared, [this](const StoreEntry& entry) {
      change(entry.name, [&](const std::optional<Held>& old) {
        // Gone by now, or just pinned: others look after the store too.
        return old && !old->pinned ? removal(entry.name, *old) : std::vector<RedisCommand>{};
      });
    });
  }

  std::shared_ptr<RedisConnection> connection_;
};

}  // namespace

std::unique_ptr<ContextStore> open_redis_store(const RedisAddress& address, const StoreOptions& options) {
  return std::make_unique<RedisStore>(address, options);
}

}  // namespace kvzip
