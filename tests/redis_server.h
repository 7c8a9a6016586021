// A Redis server of a test's own, on loopback, and one that only pretends to be. For one thread.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/test_paths.h"

namespace kvzip {

/// A TCP socket on 127.0.0.1 with a port that the system chose.
class LoopbackSocket {
 public:
  LoopbackSocket() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    if (fd_ < 0 || ::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no port on 127.0.0.1");
    port_ = ntohs(address.sin_port);
  }
  LoopbackSocket(const LoopbackSocket&) = delete;
  LoopbackSocket& operator=(const LoopbackSocket&) = delete;
  ~LoopbackSocket() { ::close(fd_); }

  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  bool connects_to(uint16_t port) const {
    const sockaddr_in address = loopback(port);
    return ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  }
  int fd() const { return fd_; }
  uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

/// Nothing stays of it: it writes no files but a log, and dies with this object or this process, whatever comes first.
class RedisServer {
 public:
  explicit RedisServer(const std::vector<std::string>& options = {}) {
    constexpr int kAttempts = 5;  // somebody may take the port in between
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      port_ = LoopbackSocket().port();
      start(options);
      if (answers()) return;
      kill();
    }
    throw std::runtime_error("redis-server doesn't start: is it installed? (scripts/setup --tests)");
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;
  ~RedisServer() { kill(); }

  uint16_t port() const { return port_; }
  std::string url(const std::string& login = "") const {
    return "redis://" + login + "127.0.0.1:" + std::to_string(port_);
  }
  void kill() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(std::exchange(child_, -1), nullptr, 0);
  }

 private:
  void start(const std::vector<std::string>& options) {
    std::vector<std::string> words = {"redis-server",
                                      "--port",
                                      std::to_string(port_),
                                      "--bind",
                                      "127.0.0.1",
                                      "--dir",
                                      folder_.path(),
                                      "--logfile",
                                      "log",
                                      "--save",
                                      "",
                                      "--appendonly",
                                      "no"};
    words.insert(words.end(), options.begin(), options.end());
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    const pid_t parent = ::getpid();
    child_ = ::fork();
    if (child_ < 0) throw std::runtime_error("can't fork");
    if (child_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(1);  // it died before that
    ::execvp(arguments.front(), arguments.data());
    ::_exit(127);
  }

  bool answers() {
    for (int i = 0; i < 500; ++i) {
      if (LoopbackSocket().connects_to(port_)) return true;
      if (::waitpid(child_, nullptr, WNOHANG) == child_) {
        child_ = -1;
        return false;
      }
      ::usleep(20'000);
    }
    return false;
  }

  TempFolder folder_;
  uint16_t port_ = 0;
  pid_t child_ = -1;
};

/// Takes one connection and answers each message with the next of `answers`; then, by choice, says nothing more,
/// closes, or says its last answer again and again.
class FakeServer {
 public:
  enum class Then : uint8_t { silence, close, flood };
  FakeServer(std::vector<std::string> answers, Then then) : answers_(std::move(answers)), then_(then) {
    if (::listen(socket_.fd(), 1) != 0) throw std::runtime_error("can't listen");
    thread_ = std::thread([this] { serve(); });
  }
  FakeServer(const FakeServer&) = delete;
  FakeServer& operator=(const FakeServer&) = delete;
  ~FakeServer() {
    done_ = true;
    ::shutdown(socket_.fd(), SHUT_RDWR);
    thread_.join();
  }

  uint16_t port() const { return socket_.port(); }

 private:
  bool wait_for(int fd, short events) const {
    pollfd waiting{fd, events, 0};
    while (!done_) {
      if (::poll(&waiting, 1, 20) > 0) return true;
    }
    return false;
  }
  static bool say(int fd, const std::string& text) {
    return ::send(fd, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 || errno == EAGAIN;
  }
  void serve() {
    if (!wait_for(socket_.fd(), POLLIN)) return;
    const int fd = ::accept4(socket_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    std::array<char, 4096> question{};
    for (const std::string& answer : answers_) {
      if (!wait_for(fd, POLLIN) || ::recv(fd, question.data(), question.size(), 0) <= 0) break;
      say(fd, answer);
    }
    if (then_ == Then::flood) {
      while (wait_for(fd, POLLOUT) && say(fd, answers_.back())) {
      }
    } else if (then_ == Then::silence) {
      while (!done_) ::usleep(5'000);
    }
    ::close(fd);
  }

  LoopbackSocket socket_;
  std::vector<std::string> answers_;
  Then then_;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace kvzip
