#include "kvzip/store/redis_address.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"

namespace kvzip {
namespace {

TEST(RedisAddress, IsReadFromUrls) {
  const RedisAddress plain = parse_redis_url("redis://cache.example");
  EXPECT_EQ(shown(plain), "redis://cache.example:6379/0");
  EXPECT_TRUE(plain.user.empty() && plain.password.empty());
  const RedisAddress full = parse_redis_url("redis://ada:p%40ss%3A%2f%25@10.0.0.1:7000/12");
  EXPECT_EQ(shown(full), "redis://10.0.0.1:7000/12");
  EXPECT_EQ(full.user, "ada");
  EXPECT_EQ(full.password, "p@ss:/%");
  const RedisAddress six = parse_redis_url("redis://:a:b@c@[::1]:1/");
  EXPECT_EQ(shown(six), "redis://[::1]:1/0");
  EXPECT_EQ(six.password, "a:b@c");
  EXPECT_TRUE(is_redis_url("redis://x") && is_redis_url("rediss://x"));
  EXPECT_FALSE(is_redis_url("redis") || is_redis_url("/redis://x"));
}

TEST(RedisAddress, ErrorsSayWhatIsWrongAndNoPassword) {
  for (const auto& [url, part] :
       std::vector<std::pair<std::string, std::string>>{{"redis://", "host is missing"},
                                                        {"redis://:hidden@", "host is missing"},
                                                        {"redis://:@host", "password is empty"},
                                                        {"redis://hidden@host", "behind a colon"},
                                                        {"redis://:hidden%4@host", "two hexadecimal digits"},
                                                        {"redis://:hidden%zz@host", "two hexadecimal digits"},
                                                        {"redis://:hidden@host:", "port"},
                                                        {"redis://:hidden@host:0", "port"},
                                                        {"redis://:hidden@host:65536", "port"},
                                                        {"redis://:hidden@host:6379x", "port"},
                                                        {"redis://:hidden@host/x", "db"},
                                                        {"redis://:hidden@host/99999999999", "db"},
                                                        {"redis://:hidden@[::1", "bracket"},
                                                        {"redis://:hidden@[::1]6379", "colon"},
                                                        {"rediss://:hidden@host", "TLS"},
                                                        {"http://:hidden@host", "otherwise"}}) {
    try {
      parse_redis_url(url);
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << url;
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find("hidden"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace kvzip
