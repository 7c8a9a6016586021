// Runs a program as a user would and collects what it prints. For tests; one process at a time.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace kvzip {

struct ProcessResult {
  int exit_code = 0;  ///< 128 + n where signal n killed it, as shells have it
  std::string out;
  std::string err;
};

struct ProcessInput {
  std::vector<std::string> arguments;  ///< the program first
  std::string standard_input;
  std::vector<std::pair<std::string, std::string>> environment = {};  ///< added to ours
  /// Ctrl-C once stderr holds this; empty = never.
  std::string interrupt_at = {};
  bool closed_output = false;  ///< nobody reads its stdout
};

namespace process_detail {

inline void exec(const ProcessInput& input) {
  // Idle OpenMP threads that spin would slow everything down where tests share their cores.
  ::setenv("OMP_WAIT_POLICY", "passive", 1);
  ::setenv("KVZIP_STORE", "", 1);  // none, unless a test has one
  for (const auto& [name, value] : input.environment) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  for (const std::string& argument : input.arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  ::execv(arguments.front(), arguments.data());
  ::_exit(127);
}

inline int exit_code_of(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

/// Appends what `fd` has to `text`; false at its end.
inline bool drain(int fd, std::string& text) {
  std::array<char, 4096> block;
  const ssize_t got = ::read(fd, block.data(), block.size());
  if (got > 0) text.append(block.data(), static_cast<size_t>(got));
  return got > 0 || (got < 0 && errno == EINTR);
}

struct Pipe {
  int ends[2] = {-1, -1};
  Pipe() {
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("can't make a pipe");
  }
  ~Pipe() {
    shut(0);
    shut(1);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  void shut(int end) {
    if (ends[end] >= 0) ::close(std::exchange(ends[end], -1));
  }
};

}  // namespace process_detail

/// Standard input must be short enough for a pipe (64 KiB).
inline ProcessResult run_process(const ProcessInput& input) {
  process_detail::Pipe in;
  process_detail::Pipe out;
  process_detail::Pipe err;
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("can't fork");
  if (child == 0) {
    ::dup2(in.ends[0], STDIN_FILENO);
    ::dup2(out.ends[1], STDOUT_FILENO);
    ::dup2(err.ends[1], STDERR_FILENO);
    if (input.closed_output) {
      // The reading end must be closed in every process for a write to fail.
      out.shut(0);
    }
    process_detail::exec(input);
  }
  in.shut(0);
  out.shut(1);
  err.shut(1);
  if (input.closed_output) out.shut(0);
  if (::write(in.ends[1], input.standard_input.data(), input.standard_input.size()) < 0)
    throw std::runtime_error("can't write to the pipe");
  in.shut(1);
  ProcessResult result;
  bool interrupted = input.interrupt_at.empty();
  while (out.ends[0] >= 0 || err.ends[0] >= 0) {
    pollfd waiting[2] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0) continue;
    if (waiting[0].revents != 0 && !process_detail::drain(out.ends[0], result.out)) out.shut(0);
    if (waiting[1].revents != 0 && !process_detail::drain(err.ends[0], result.err)) err.shut(0);
    if (!interrupted && result.err.find(input.interrupt_at) != std::string::npos) {
      ::kill(child, SIGINT);
      interrupted = true;
    }
  }
  result.exit_code = process_detail::exit_code_of(child);
  return result;
}

/// The same on a terminal of 100 columns, where stdout and stderr are one. Standard input is typed at once.
inline ProcessResult run_on_terminal(const ProcessInput& input) {
  winsize size{};
  size.ws_row = 40;
  size.ws_col = 100;
  int terminal = -1;
  const pid_t child = ::forkpty(&terminal, nullptr, nullptr, &size);
  if (child < 0) throw std::runtime_error("can't make a terminal");
  if (child == 0) process_detail::exec(input);
  if (::write(terminal, input.standard_input.data(), input.standard_input.size()) < 0)
    throw std::runtime_error("can't type");
  ProcessResult result;
  while (process_detail::drain(terminal, result.out)) {
  }
  ::close(terminal);
  result.exit_code = process_detail::exit_code_of(child);
  return result;
}

}  // namespace kvzip
