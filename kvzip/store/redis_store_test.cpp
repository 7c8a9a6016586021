#include "kvzip/store/redis_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "kvzip/base/error.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/context_file_test_data.h"
#include "kvzip/store/redis_connection.h"
#include "tests/redis_server.h"

namespace kvzip {
namespace {

constexpr uint64_t kPlenty = uint64_t{1} << 30U;

class RedisStoreTest : public testing::Test {
 protected:
  std::unique_ptr<ContextStore> open(uint64_t most_bytes = kPlenty, std::optional<ContextKey> key = {}) const {
    return open_redis_store(parse_redis_url(server_.url()), {.most_bytes = most_bytes, .key = key});
  }
  static std::string name_of(int number) {
    return context_address({{"model", "test"}}, {}, std::vector<TokenId>{number}, {});
  }
  /// Of one piece.
  void add(ContextStore& store, int number, ContextStore::Pin pin = ContextStore::Pin::no) {
    store.add(
        name_of(number),
        [&](ByteSink& out, uint64_t most) {
          ContextOrigin origin = small_.origin(Level::pair, 0.5);
          origin.title = "document " + std::to_string(number);
          write_context(out, "small", small_context_, origin, {.key = store.options().key, .most_bytes = most});
        },
        pin);
  }
  /// Of several pieces, all pairs held. Returns its size.
  uint64_t add_large(ContextStore& store, int number) {
    uint64_t bytes = 0;
    store.add(name_of(number), [&](ByteSink& out, uint64_t) { bytes = large_.write(out, Level::pair, 1); });
    return bytes;
  }
  static std::vector<std::string> names(ContextStore& store) {
    std::vector<std::string> found;
    for (const StoreEntry& entry : store.list()) found.push_back(entry.name);
    return found;
  }
  Context opened(const ContextFile& file, std::optional<double> ratio = {}) {
    return Context::from_rows(large_.backend(), file.rows({.ratio = ratio}));
  }
  template <class Call>
  static std::string error_of(const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::input) << error.what();
      return error.what();
    }
    return "no error";
  }

  /// Straight to the server.
  RedisReply ask(const RedisCommand& command) { return raw_.command(command); }
  std::vector<std::string> keys() {
    std::vector<std::string> found;
    const RedisReply all = ask({"KEYS", "*"});
    for (size_t i = 0; i < all.size(); ++i) found.emplace_back(*all.at(i).text());
    return found;
  }
  std::string piece_of(int number, int piece) {
    const RedisReply upload = ask({"HGET", "kvzip:1:context:" + name_of(number), "upload"});
    return "kvzip:1:piece:" + std::string(*upload.text()) + ":" + std::to_string(piece);
  }
  /// What it has sent to anybody.
  uint64_t bytes_sent() {
    const RedisReply reply = ask({"INFO", "stats"});
    const std::string_view info = *reply.text();
    constexpr std::string_view kField = "total_net_output_bytes:";
    return std::stoull(std::string(info.substr(info.find(kField) + kField.size(), 20)));
  }

  RedisServer server_;
  RedisConnection raw_{parse_redis_url(server_.url()), {}};
  MadeUpDocument small_{51, {.kv_heads = 1, .head_dim = 16, .windows = {0, 0}, .dtype = DType::f16}, 2, 50};
  Context small_context_ = small_.context(Level::pair, 0.5);
  TempFolder folder_;
  uint64_t one_ = small_.write(folder_.file("one"), Level::pair, 0.5);  // bytes of a small context
  MadeUpDocument large_{52, {.kv_heads = 2, .head_dim = 64, .windows = {0, 33, 0}, .dtype = DType::f16}, 3, 3000};
};

TEST_F(RedisStoreTest, FindsWhatWasAdded) {
  const auto store = open();
  EXPECT_FALSE(store->find(name_of(1)));
  const uint64_t bytes = add_large(*store, 1);
  EXPECT_GT(bytes, 2U << 20U) << "several pieces";
  const auto file = open()->find(name_of(1));
  ASSERT_TRUE(file);
  EXPECT_EQ(file->text(), large_.text());
  EXPECT_EQ(file->tokens(), large_.tokens());
  EXPECT_EQ(difference(opened(*file), large_.context(Level::pair, 1)), "");
  file->verify();
  ASSERT_EQ(store->list().size(), 1U);
  EXPECT_EQ(store->list()[0].bytes, bytes);
  EXPECT_EQ(file->path(), store->place() + "/" + name_of(1));
}

TEST_F(RedisStoreTest, ASmallerRatioFetchesTheLeadingRowsOnly) {
  const auto store = open();
  const uint64_t bytes = add_large(*store, 1);
  const uint64_t before = bytes_sent();
  const auto file = store->find(name_of(1));
  const Context tenth = opened(*file, 0.1);
  const uint64_t fetched = bytes_sent() - before;
  EXPECT_EQ(difference(tenth, large_.context(Level::pair, 0.1)), "");
  EXPECT_GE(fetched, file->bytes_read());
  EXPECT_LT(fetched, file->bytes_read() + 8'000) << "what was read, and little else";
  EXPECT_LT(fetched, bytes / 3);
  EXPECT_EQ(difference(opened(*file, 0.1), tenth), "");
  EXPECT_LT(bytes_sent() - before, fetched + 8'000) << "nothing twice";
  EXPECT_EQ(difference(opened(*file, 0.6), large_.context(Level::pair, 0.6)), "") << "more of the same file";
}

TEST_F(RedisStoreTest, EvictsTheLeastRecentlyUsedAndNeverThePinned) {
  const auto store = open(3 * one_ + one_ / 2);
  add(*store, 1, ContextStore::Pin::yes);
  add(*store, 2);
  add(*store, 3);
  store->touch(name_of(2));
  store->touch(name_of(9));  // no such context, and none comes of it
  add(*store, 4);
  EXPECT_EQ(names(*store), (std::vector<std::string>{name_of(4), name_of(2), name_of(1)}));
  store->pin(name_of(1), ContextStore::Pin::no);
  add(*store, 5);
  EXPECT_EQ(names(*store), (std::vector<std::string>{name_of(5), name_of(4), name_of(2)}));
  EXPECT_EQ(store->collect(one_ + one_ / 2).files, 2U);
  EXPECT_EQ(names(*store), (std::vector<std::string>{name_of(5)}));
  add(*store, 6, ContextStore::Pin::yes);
  add(*store, 7, ContextStore::Pin::yes);
  add(*store, 8, ContextStore::Pin::yes);
  EXPECT_NE(error_of([&] { add(*store, 9); }).find("more than the"), std::string::npos);
  EXPECT_EQ(names(*store).size(), 3U);
  EXPECT_NE(error_of([&] { store->pin(name_of(9), ContextStore::Pin::yes); }).find("no such context"),
            std::string::npos);
}

TEST_F(RedisStoreTest, AnOpenContextSurvivesItsReplacementAndRemoval) {
  const auto store = open();
  add_large(*store, 1);
  const auto file = store->find(name_of(1));
  const auto other = open();
  add(*other, 1);
  other->remove(name_of(1));
  EXPECT_FALSE(store->find(name_of(1)));
  EXPECT_EQ(difference(opened(*file), large_.context(Level::pair, 1)), "");
  for (const std::string& key : keys()) EXPECT_GT(*ask({"TTL", key}).number(), 0) << key;
}

TEST_F(RedisStoreTest, AWriterThatDiesLeavesOnlyWhatExpires) {
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      const auto store = open();
      store->add(name_of(1), [&](ByteSink& out, uint64_t) {
        for (int i = 0; i < 5; ++i) out.write(std::vector<std::byte>(700'000));
        ::_exit(0);
      });
    } catch (...) {
      ::_exit(1);
    }
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_GE(keys().size(), 2U) << "something was written";
  for (const std::string& key : keys()) EXPECT_GT(*ask({"TTL", key}).number(), 0) << key;
  EXPECT_TRUE(open()->list().empty());
  ask({"FLUSHDB"});
  EXPECT_THROW(open()->add(name_of(1),
                           [&](ByteSink& out, uint64_t) {
                             for (int i = 0; i < 5; ++i) out.write(std::vector<std::byte>(700'000));
                             throw Error(ErrorCode::cancelled, "stopped");
                           }),
               Error);
  for (const std::string& key : keys()) EXPECT_EQ(key.find("piece"), std::string::npos) << "removed at once";
}

TEST_F(RedisStoreTest, DamageIsFound) {
  const auto store = open();
  const uint64_t bytes = add_large(*store, 1);
  std::mt19937 random(7);
  for (int i = 0; i < 40; ++i) {
    // The header and the description's end in turn with any place.
    uint64_t at = random() % bytes;
    if (i % 4 == 0) at = random() % kHeaderBytes;
    if (i % 4 == 1) at = bytes - 1 - random() % 2000;
    const std::string key = piece_of(1, static_cast<int>(at >> 20U));
    const std::string offset = std::to_string(at & 0xFFFFFU);
    const std::string old(*ask({"GETRANGE", key, offset, offset}).text());
    ask({"SETRANGE", key, offset, std::string(1, static_cast<char>(old[0] ^ (1 << (i % 8))))});
    const std::string error = error_of([&] { store->find(name_of(1))->verify(); });
    EXPECT_TRUE(error.find("damaged") != std::string::npos || error.find("expected") != std::string::npos)
        << at << ": " << error;
    ask({"SETRANGE", key, offset, old});
  }
  store->find(name_of(1))->verify();
  ask({"DEL", piece_of(1, 1)});
  EXPECT_NE(error_of([&] { opened(*store->find(name_of(1))); }).find("piece 1: expected"), std::string::npos);
}

TEST_F(RedisStoreTest, EntriesThatMakeNoSenseAreErrors) {
  const auto store = open();
  add(*store, 1);
  const std::string entry = "kvzip:1:context:" + name_of(1);
  const std::string size(*ask({"HGET", entry, "bytes"}).text());
  for (const char* wrong : {"", "-1", "0", "63", "1e9", "99999999999999999999", "1099511627776", "abc"}) {
    ask({"HSET", entry, "bytes", wrong});
    EXPECT_NE(error_of([&] { store->find(name_of(1)); }).find("damaged"), std::string::npos) << wrong;
    EXPECT_NE(error_of([&] { store->list(); }).find("damaged"), std::string::npos) << wrong;
  }
  // Sizes that are possible, and not this file's: refused before they are allocated.
  for (const char* wrong : {"64", "5000", "1099511627775"}) {
    ask({"HSET", entry, "bytes", wrong});
    EXPECT_NE(error_of([&] { store->find(name_of(1)); }).find("damaged"), std::string::npos) << wrong;
  }
  ask({"HSET", entry, "bytes", size});
  EXPECT_NO_THROW(store->find(name_of(1)));
  ask({"HSET", entry, "upload", "../../etc/passwd"});
  EXPECT_NE(error_of([&] { store->find(name_of(1)); }).find("damaged"), std::string::npos);
  ask({"SET", entry, "text"});
  EXPECT_NE(error_of([&] { store->find(name_of(1)); }).find("WRONGTYPE"), std::string::npos);
  ask({"FLUSHDB"});
  ask({"ZADD", "kvzip:1:used", "1", "../x"});
  EXPECT_NE(error_of([&] { store->list(); }).find("expected a context"), std::string::npos);
}

TEST_F(RedisStoreTest, WithAKeyOnlyItsHoldersAreBelieved) {
  const ContextKey key{std::byte{1}};
  const ContextKey other{std::byte{2}};
  add(*open(kPlenty, key), 1);
  add(*open(), 2);
  open(kPlenty, key)->find(name_of(1))->verify();
  EXPECT_NE(error_of([&] { open(kPlenty, other)->find(name_of(1)); }).find("not made with this key"),
            std::string::npos);
  EXPECT_NE(error_of([&] { open()->find(name_of(1)); }).find("made with a key"), std::string::npos);
  EXPECT_NE(error_of([&] { open(kPlenty, key)->find(name_of(2)); }).find("made without any"), std::string::npos);
}

TEST_F(RedisStoreTest, AServerWithoutMemoryOrThatDiesIsSaid) {
  const auto store = open();
  add_large(*store, 1);
  const auto file = store->find(name_of(1));
  ask({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_NE(error_of([&] { add_large(*store, 2); }).find("is full"), std::string::npos);
  EXPECT_NO_THROW(store->touch(name_of(1)));
  ask({"CONFIG", "SET", "maxmemory", "0"});
  add(*store, 2);
  EXPECT_EQ(names(*store).size(), 2U);
  server_.kill();
  EXPECT_NE(error_of([&] { opened(*file); }).find("connection lost"), std::string::npos);
  EXPECT_NE(error_of([&] { store->list(); }).find("can't be reached"), std::string::npos);
  EXPECT_NO_THROW(store->touch(name_of(1)));
}

TEST_F(RedisStoreTest, ManyShareIt) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&, thread] {
      MadeUpDocument document(60 + thread, {.kv_heads = 1, .head_dim = 16, .windows = {0, 0}, .dtype = DType::f16}, 2,
                              50);
      const auto store = open(6 * one_);
      for (int i = 0; i < 25; ++i) {
        // All threads write the same names: what they hold differs, but each is whole.
        store->add(name_of(i % 4), [&](ByteSink& out, uint64_t) { document.write(out, Level::pair, 0.5); });
        store->collect(3 * one_);
        for (const StoreEntry& entry : store->list()) {
          if (const auto file = store->find(entry.name)) file->verify();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const auto store = open();
  EXPECT_LE(store->list().size(), 4U);
  size_t stay = 0;  // keys that don't expire: entries, their piece, and the order of use
  for (const std::string& key : keys()) stay += *ask({"TTL", key}).number() < 0 ? 1 : 0;
  EXPECT_EQ(stay, 2 * store->list().size() + (store->list().empty() ? 0 : 1));
}

}  // namespace
}  // namespace kvzip
