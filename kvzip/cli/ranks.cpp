#include "kvzip/cli/ranks.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>

#include "kvzip/base/error.h"
#include "kvzip/cli/interrupt.h"

namespace kvzip::cli {
namespace {

/// Of a rank's process, until it ends; null elsewhere.
std::unique_ptr<RankMemory>& shared_memory() {
  static std::unique_ptr<RankMemory> memory;
  return memory;
}

[[noreturn]] void fail(const std::string& what) { throw Error(ErrorCode::usage, what); }

bool is_number(std::string_view word) {
  return !word.empty() && std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

void silence() {
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nothing < 0) return;
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::dup2(nothing, fd);
  ::close(nothing);
}

void become_rank(size_t index, pid_t parent) {
  // Whoever kills the waiting process means all of them.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (index > 0) silence();
}

void send_all(const std::vector<pid_t>& processes, int signal) {
  for (const pid_t process : processes) ::kill(process, signal);
}

void end_all(const std::vector<pid_t>& processes) {
  send_all(processes, SIGKILL);
  for (const pid_t process : processes) {
    while (::waitpid(process, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
}

RanksEnded failure_of(const std::string& device, int status, const RankMemory& memory) {
  if (const auto failure = memory.failure()) return {failure->code, failure->line};
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    if (signal == SIGPIPE) return {128 + signal, ""};  // nobody reads what we print: no need for a word
    if (signal == SIGINT) return {128 + signal, "cancelled"};
    return {1, fmt::format("device {}: its process was ended by signal {} ({})", device, signal, ::strsignal(signal))};
  }
  return {1, fmt::format("device {}: its process ended with code {}", device, WEXITSTATUS(status))};
}

[[noreturn]] void wait_for(std::vector<pid_t> processes, const std::vector<std::string>& devices,
                           const RankMemory& memory) {
  const std::vector<pid_t> all = processes;
  while (!processes.empty()) {
    int status = 0;
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended < 0 && errno == EINTR) {
      if (interrupted() && interrupt_was_sent()) send_all(processes, SIGINT);
      continue;
    }
    const auto place = std::ranges::find(all, ended);
    if (place == all.end()) throw RanksEnded(1, "internal error: a device's process is lost");
    std::erase(processes, ended);
    if (status == 0) continue;
    end_all(processes);
    throw failure_of(devices[static_cast<size_t>(place - all.begin())], status, memory);
  }
  throw RanksEnded(0, "");
}

}  // namespace

std::vector<std::string> device_list(const std::string& device, size_t gpus) {
  constexpr std::string_view kCuda = "cuda";
  if (gpus > 0) {
    if (device != "cpu" && device != kCuda) {
      fail(fmt::format("--gpus {}: expected no --device, or cuda, found {} (which GPUs is said as --device cuda:0,1)",
                       gpus, device));
    }
    std::vector<std::string> first;
    for (size_t index = 0; index < gpus; ++index) first.push_back(fmt::format("cuda:{}", index));
    return first;
  }
  std::vector<std::string> devices;
  for (size_t begin = 0; begin <= device.size();) {
    const size_t end = std::min(device.find(',', begin), device.size());
    std::string word = device.substr(begin, end - begin);
    if (!devices.empty() && is_number(word) && devices.back().starts_with("cuda:")) word.insert(0, "cuda:");
    const bool is_gpu = word.starts_with(kCuda);
    if (!devices.empty() && is_gpu != devices.back().starts_with(kCuda))
      fail(fmt::format("device '{}': expected devices of one kind", device));
    if (is_gpu && std::ranges::find(devices, word) != devices.end())
      fail(fmt::format("device '{}': expected each GPU once, found {} twice", device, word));
    devices.push_back(std::move(word));
    begin = end + 1;
  }
  return devices;
}

Rank start_ranks(const std::vector<std::string>& devices) {
  auto memory = std::make_unique<RankMemory>(devices.size());
  std::fflush(nullptr);  // or each process would write what is left
  const pid_t parent = ::getpid();
  std::vector<pid_t> processes;
  for (size_t index = 0; index < devices.size(); ++index) {
    const pid_t process = ::fork();
    if (process < 0) {
      const int error = errno;
      end_all(processes);
      throw Error(ErrorCode::memory,
                  fmt::format("device {}: no process for it: {}", devices[index], std::strerror(error)));
    }
    if (process == 0) {
      become_rank(index, parent);
      shared_memory() = std::move(memory);
      return {index, shared_memory().get()};
    }
    processes.push_back(process);
  }
  wait_for(std::move(processes), devices, *memory);
}

bool report_failure(std::string_view line, int code) {
  if (!shared_memory()) return false;
  shared_memory()->fail(code, line);
  return true;
}

}  // namespace kvzip::cli
