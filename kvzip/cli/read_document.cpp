#include "kvzip/cli/read_document.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kvzip/base/error.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/stages/memory.h"

namespace kvzip::cli {
namespace {

constexpr size_t kLargestQuestions = size_t{1} << 20U;

/// Closes what it opened; standard input stays open.
struct Descriptor {
  int fd;
  ~Descriptor() {
    if (fd > STDIN_FILENO) ::close(fd);
  }
};

[[noreturn]] void fail(const std::string& path, int error) {
  const std::string why = error == EISDIR ? "expected a file, found a folder" : std::strerror(error);
  throw Error(ErrorCode::input, fmt::format("{}: {}", document_name(path), why));
}

}  // namespace

std::string document_name(const std::string& path) { return path == "-" ? "standard input" : path; }

std::string read_document(const std::string& path, size_t limit) {
  const Descriptor file{path == "-" ? STDIN_FILENO : ::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.fd < 0) fail(path, errno);
  std::string text;
  char block[1U << 16U];
  for (;;) {
    const ssize_t got = ::read(file.fd, block, sizeof(block));
    throw_if_interrupted();
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(path, errno);
    if (got == 0) return text;
    text.append(block, static_cast<size_t>(got));
    if (text.size() > limit) {
      throw Error(ErrorCode::input,
                  fmt::format("{}: expected at most {}, found more", document_name(path), format_bytes(limit)));
    }
  }
}

std::vector<std::string> read_lines(const std::string& path) {
  const std::string text = read_document(path, kLargestQuestions);
  std::vector<std::string> lines;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    line.erase(0, line.find_first_not_of(" \t\r"));
    line.erase(line.find_last_not_of(" \t\r") + 1);
    if (!line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

void require_writable(const std::string& path) {
  std::error_code ignored;
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const auto refuse = [&](const std::string& why) {
    throw Error(ErrorCode::input, fmt::format("{}: can't be written: {}", path, why));
  };
  if (path.empty() || std::filesystem::is_directory(path, ignored))
    refuse("expected the name of a file, found a folder");
  if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) refuse(std::strerror(errno));
}

}  // namespace kvzip::cli
