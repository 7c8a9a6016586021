#include "kvzip/base/atomic_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "kvzip/base/error.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

std::string content_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void write_text(const std::string& path, const std::string& text) {
  write_file_atomically(path, [&](FileWriter& out) { out.write(text); });
}

/// The message of the Error{input} that writing to `path` gives.
std::string error_of(const std::string& path) {
  try {
    write_text(path, "new");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::input);
    return error.what();
  }
  ADD_FAILURE() << "expected an error";
  return {};
}

TEST(AtomicFile, MakesAndReplaces) {
  const TempFolder folder;
  const std::string path = folder.file("a.bin");
  const std::string large(3 << 20, 'x');
  write_file_atomically(path, [&](FileWriter& out) {
    out.write("head");
    out.write(std::as_bytes(std::span(large)));
    out.write("");
  });
  EXPECT_EQ(content_of(path), "head" + large);
  write_text(path, "short");
  EXPECT_EQ(content_of(path), "short");
  EXPECT_EQ(folder.entries(), 1U) << "no temporary stays behind";
}

TEST(AtomicFile, WhatWasWrittenCanBeReplaced) {
  const TempFolder folder;
  write_file_atomically(folder.file("a"), [](FileWriter& out) {
    out.write("----head--");
    out.rewrite(2, std::as_bytes(std::span(std::string_view("AB"))));
    out.write("tail");
  });
  EXPECT_EQ(content_of(folder.file("a")), "--ABhead--tail");
}

TEST(AtomicFile, GetsTheUsualPermissions) {
  const TempFolder folder;
  const mode_t before = ::umask(027);
  write_text(folder.file("a"), "x");
  ::umask(before);
  struct stat status {};
  ASSERT_EQ(::stat(folder.file("a").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0640U);
}

TEST(AtomicFile, TheOldContentStaysUntilTheNewIsComplete) {
  const TempFolder folder;
  const std::string path = folder.file("a");
  write_text(path, "old");
  write_file_atomically(path, [&](FileWriter& out) {
    out.write("new");
    EXPECT_EQ(content_of(path), "old");
  });
  EXPECT_EQ(content_of(path), "new");
}

TEST(AtomicFile, AnExceptionLeavesNothingBehind) {
  const TempFolder folder;
  write_text(folder.file("old"), "old");
  for (const char* name : {"old", "fresh"}) {
    EXPECT_THROW(write_file_atomically(folder.file(name),
                                       [](FileWriter& out) {
                                         out.write("half");
                                         throw Error(ErrorCode::cancelled, "cancelled");
                                       }),
                 Error);
  }
  EXPECT_EQ(content_of(folder.file("old")), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, WrongPlacesAreNamed) {
  const TempFolder folder;
  const std::string missing = folder.file("missing/a");
  EXPECT_EQ(error_of(missing), missing + ": can't be written: No such file or directory");
  EXPECT_EQ(error_of(folder.path()), folder.path() + ": can't be written: expected a regular file, found a folder");
  EXPECT_EQ(error_of(folder.path() + "/"), folder.path() + "/: can't be written: expected the name of a file");
  EXPECT_EQ(error_of(""), ": can't be written: expected the name of a file");
  EXPECT_EQ(error_of("/dev/null"), "/dev/null: can't be written: expected a regular file, found something else");
  EXPECT_EQ(folder.entries(), 0U);
}

TEST(AtomicFile, LackOfPermissionIsNamed) {
  const TempFolder folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0555), 0);
  const uid_t user = ::geteuid();
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::seteuid(user == 0 ? kNobody : user), 0);  // permissions don't bind root
  const std::string message = error_of(folder.file("a"));
  ASSERT_EQ(::seteuid(user), 0);
  EXPECT_EQ(message, folder.file("a") + ": can't be written: Permission denied");
}

/// A limit on the size of files stands in for a full disk: both let the first bytes through.
TEST(AtomicFile, AFullDiskLeavesTheOldContent) {
  const TempFolder folder;
  const std::string path = folder.file("a");
  write_text(path, "old");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{1000, before.rlim_max};
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  std::string message;
  try {
    write_text(path, std::string(5000, 'x'));
  } catch (const Error& error) {
    message = error.what();
  }
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(message, path + ": can't be written: File too large");
  EXPECT_EQ(content_of(path), "old");
  EXPECT_EQ(folder.entries(), 1U);
}

TEST(AtomicFile, WritersAtTheSameTimeEachWinWhole) {
  const TempFolder folder;
  const std::string path = folder.file("a");
  std::vector<std::thread> threads;
  for (const char c : {'a', 'b', 'c'}) {
    threads.emplace_back([&path, c] {
      for (int i = 0; i < 10; ++i) write_text(path, std::string(10000, c));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string content = content_of(path);
  ASSERT_EQ(content.size(), 10000U);
  EXPECT_EQ(content, std::string(10000, content[0]));
  EXPECT_EQ(folder.entries(), 1U);
}

}  // namespace
}  // namespace kvzip
