#include "kvzip/store/redis_connection.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "tests/redis_server.h"

namespace kvzip {
namespace {

constexpr RedisTimeouts kShort{std::chrono::milliseconds(300), std::chrono::milliseconds(300)};

template <class Call>
std::string error_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return "no error";
}

void expect_part(const std::string& error, const std::string& part) {
  EXPECT_NE(error.find(part), std::string::npos) << error;
}

RedisAddress at(uint16_t port) { return {.host = "127.0.0.1", .port = port}; }

TEST(RedisConnection, AnswersInOrder) {
  const RedisServer server;
  RedisConnection connection(parse_redis_url(server.url() + "/3"), {});
  const std::string bytes("a\0\r\n\xFF", 5);
  const std::vector<RedisReply> replies = connection.exchange(std::vector<RedisCommand>{
      {"SET", "key", bytes}, {"GET", "key"}, {"GET", "none"}, {"STRLEN", "key"}, {"MGET", "key", "none"}});
  ASSERT_EQ(replies.size(), 5U);
  EXPECT_EQ(replies[0].text(), "OK");
  EXPECT_EQ(replies[1].text(), bytes);
  EXPECT_TRUE(replies[2].is_nil());
  EXPECT_EQ(replies[3].number(), 5);
  ASSERT_EQ(replies[4].size(), 2U);
  EXPECT_EQ(replies[4].at(0).text(), bytes);
  EXPECT_TRUE(replies[4].at(1).is_nil());
  EXPECT_TRUE(RedisConnection(parse_redis_url(server.url()), {}).command({"GET", "key"}).is_nil()) << "another db";
}

TEST(RedisConnection, WhatIsRefusedIsSaidAndTheNextCommandWorks) {
  const RedisServer server;
  RedisConnection connection(parse_redis_url(server.url()), {});
  expect_part(error_of([&] {
                connection.exchange(std::vector<RedisCommand>{{"SET", "a", "1"}, {"NONSENSE"}, {"SET", "b", "2"}});
              }),
              "refused NONSENSE: 'ERR unknown command");
  EXPECT_EQ(connection.command({"GET", "b"}).text(), "2");
  expect_part(error_of([&] { connection.command({"LPUSH", "a", "x"}); }), "WRONGTYPE");
}

TEST(RedisConnection, WantsTheRightPassword) {
  const RedisServer server({"--requirepass", "right"});
  EXPECT_NO_THROW(RedisConnection(parse_redis_url(server.url(":right@")), {}));
  EXPECT_NO_THROW(RedisConnection(parse_redis_url(server.url("default:right@")), {}));
  const std::string wrong = error_of([&] { RedisConnection(parse_redis_url(server.url(":hidden@")), {}); });
  expect_part(wrong, "refused AUTH: 'WRONGPASS");
  EXPECT_EQ(wrong.find("hidden"), std::string::npos);
  expect_part(error_of([&] { RedisConnection(parse_redis_url(server.url()), {}); }), "NOAUTH");
}

TEST(RedisConnection, ServersThatArentThereAreSaid) {
  const LoopbackSocket unused;  // bound, and nobody listens
  expect_part(error_of([&] { RedisConnection(at(unused.port()), kShort); }), "can't be reached: Connection refused");
  expect_part(error_of([&] { RedisConnection({.host = "no-such-host.invalid"}, kShort); }), "can't be reached");
}

TEST(RedisConnection, AServerThatDiesIsSaidAndAskedAnew) {
  auto server = std::make_unique<RedisServer>();
  RedisConnection connection(at(server->port()), {});
  server->kill();
  expect_part(error_of([&] { connection.command({"PING"}); }), "connection lost");
  expect_part(error_of([&] { connection.command({"PING"}); }), "connection was lost");
  expect_part(error_of([&] { connection.refresh(); }), "can't be reached");
}

TEST(RedisConnection, SilenceHasAnEnd) {
  const FakeServer never({}, FakeServer::Then::silence);
  expect_part(error_of([&] { RedisConnection(at(never.port()), kShort); }), "no answer in 0.3 s");
  const FakeServer half({"+OK\r\n", "$10\r\nabc"}, FakeServer::Then::silence);
  RedisConnection connection(at(half.port()), kShort);
  expect_part(error_of([&] { connection.command({"GET", "x"}); }), "no answer in 0.3 s");
}

TEST(RedisConnection, NothingItSaysIsBelieved) {
  using Then = FakeServer::Then;
  struct Case {
    std::string answer;
    Then then;
    const char* part;
  };
  const std::vector<Case> cases = {
      {"HTTP/1.1 400 Bad Request\r\n\r\n", Then::silence, "expected a Redis server's reply"},
      {"$10\r\nabc", Then::close, "the server closed it"},
      {"", Then::close, "the server closed it"},
      {"*1000000000\r\n", Then::silence, "expected a Redis server's reply"},
      {"*-5\r\n", Then::silence, "expected a Redis server's reply"},
      {"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", Then::silence,
       "expected a Redis server's reply"},
      {"$999999999999999999999\r\n", Then::silence, "expected a Redis server's reply"},
      {"$900000000\r\n" + std::string(4000, 'x'), Then::flood, "expected a shorter reply"},
      {std::string(4000, '+'), Then::flood, "expected a shorter reply"},
      {"*1048576\r\n:1\r\n:1\r\n:1\r\n:1\r\n", Then::flood, "expected"},
      {"-ERR \x1b[31mred\x07 and long " + std::string(500, 'x') + "\r\n", Then::silence, "\\x1b"}};
  for (const Case& each : cases) {
    const FakeServer server({"+OK\r\n", each.answer}, each.then);
    RedisConnection connection(at(server.port()), {kShort.connect, std::chrono::seconds(5)});
    const std::string error = error_of([&] { connection.command({"GET", "x"}); });
    expect_part(error, each.part);
    EXPECT_LT(error.size(), 400U);
    EXPECT_LT(connection.bytes_received(), 1'000'000U);
  }
}

}  // namespace
}  // namespace kvzip
