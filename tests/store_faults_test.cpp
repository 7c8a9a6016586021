// Disks that are full or fail while a context is written: one clear error, and the old file as it was. The calls of the
// system that write are replaced in this program, so that any of them can be made to fail.
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <fstream>
#include <iterator>

#include "kvzip/base/error.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/context_file_test_data.h"
#include "kvzip/store/folder_store.h"
#include "tests/test_paths.h"

namespace {

/// Which call fails, and how.
struct Fault {
  enum Call { none, write, pwrite, fsync, rename };
  Call call = none;
  int countdown = 0;  ///< calls until it happens
  int error = 0;      ///< 0 = only a part is written
  bool happened = false;
};
Fault fault;

/// The error of this call, or -1 where it is to work.
int failing(Fault::Call call) {
  if (fault.call != call || fault.happened || fault.countdown-- > 0) return -1;
  fault.happened = true;
  return fault.error;
}

}  // namespace

extern "C" {

ssize_t write(int fd, const void* data, size_t size) {
  const int error = failing(Fault::write);
  if (error == 0) size = (size + 1) / 2;
  if (error > 0) {
    errno = error;
    return -1;
  }
  return ::syscall(SYS_write, fd, data, size);
}

ssize_t pwrite(int fd, const void* data, size_t size, off_t offset) {
  const int error = failing(Fault::pwrite);
  if (error == 0) size = (size + 1) / 2;
  if (error > 0) {
    errno = error;
    return -1;
  }
  return ::syscall(SYS_pwrite64, fd, data, size, offset);
}

int fsync(int fd) {
  const int error = failing(Fault::fsync);
  if (error > 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

int rename(const char* from, const char* to) noexcept {
  const int error = failing(Fault::rename);
  if (error > 0) {
    errno = error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_renameat, -100 /* AT_FDCWD */, from, -100, to));
}

}  // extern "C"

namespace kvzip {
namespace {

constexpr int kMostCalls = 50;  // more than a small file needs

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class StoreFaults : public testing::Test {
 protected:
  ~StoreFaults() override { fault = {}; }

  void write_old() { document_.write(path_, Level::pair, 0.8); }
  void write_new(const std::string& path) { document_.write(path, Level::pair, 0.3); }

  /// What writing says with the `countdown`-th call failing; empty where there was no such call.
  template <class Write>
  std::string error_with(Fault::Call call, int countdown, int error, const Write& write) {
    fault = {call, countdown, error, false};
    std::string message;
    try {
      write();
      EXPECT_TRUE(!fault.happened || error == 0);
    } catch (const Error& failure) {
      EXPECT_EQ(failure.code(), ErrorCode::input);
      message = failure.what();
      EXPECT_EQ(message.find('\n'), std::string::npos);
    }
    if (!fault.happened) message.clear();
    fault = {};
    return message;
  }

  TempFolder folder_;
  std::string path_ = folder_.file("a.kvz");
  MadeUpDocument document_{71, {.kv_heads = 2, .head_dim = 64, .windows = {0, 9, 0}, .dtype = DType::f16}, 3, 1500};
};

TEST_F(StoreFaults, EveryCallThatFailsLeavesTheOldFile) {
  struct Case {
    Fault::Call call;
    int error;
    const char* text;
  };
  for (const Case& each :
       {Case{Fault::write, ENOSPC, "No space left on device"}, Case{Fault::write, EIO, "Input/output error"},
        Case{Fault::pwrite, EIO, "Input/output error"}, Case{Fault::fsync, EIO, "Input/output error"},
        Case{Fault::fsync, ENOSPC, "No space left on device"}, Case{Fault::rename, EIO, "Input/output error"}}) {
    int failures = 0;
    for (int call = 0; call < kMostCalls; ++call) {
      write_old();
      const std::string before = content_of(path_);
      const std::string error = error_with(each.call, call, each.error, [&] { write_new(path_); });
      if (error.empty()) break;
      ++failures;
      EXPECT_EQ(error, path_ + ": can't be written: " + each.text);
      EXPECT_EQ(folder_.entries(), 1U) << "no temporary stays";
      // The last fsync is the folder's: by then the new file is in place.
      const bool renamed = each.call == Fault::fsync && call == 1;
      EXPECT_EQ(content_of(path_) == before, !renamed);
      ContextFile::open(path_).verify();
    }
    EXPECT_GE(failures, each.call == Fault::write || each.call == Fault::fsync ? 2 : 1);
  }
}

TEST_F(StoreFaults, PartsThatAreWrittenAreContinued) {
  write_new(path_);
  const std::string whole = content_of(path_);
  for (const Fault::Call call : {Fault::write, Fault::pwrite}) {
    for (int countdown = 0; countdown < 3; ++countdown) {
      std::filesystem::remove(path_);
      EXPECT_EQ(error_with(call, countdown, 0, [&] { write_new(path_); }), "");
      EXPECT_EQ(content_of(path_), whole);
    }
  }
}

TEST_F(StoreFaults, AStoreKeepsWhatItHad) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  const std::string name = context_address({}, {}, std::vector<TokenId>{1}, {});
  const auto old_one = [&](ByteSink& out, uint64_t) { document_.write(out, Level::pair, 0.8); };
  const auto new_one = [&](ByteSink& out, uint64_t) { document_.write(out, Level::pair, 0.3); };
  for (const Fault::Call call : {Fault::write, Fault::pwrite, Fault::fsync, Fault::rename}) {
    for (int countdown = 0; countdown < kMostCalls; ++countdown) {
      store.add(name, old_one);
      const std::string error =
          error_with(call, countdown, EIO, [&] { store.add(name, new_one, ContextStore::Pin::no); });
      if (error.empty()) break;
      const auto file = store.find(name);
      ASSERT_TRUE(file);
      file->verify();
    }
  }
  store.collect(1U << 30U);
  EXPECT_EQ(store.list().size(), 1U);
}

TEST_F(StoreFaults, AFolderThatMayNotBeWrittenIsSaid) {
  if (::geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  write_old();
  const std::string before = content_of(path_);
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
  EXPECT_NE(error_with(Fault::none, 0, 0, [&] { write_new(path_); }), "no error");
  std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_all);
  EXPECT_EQ(content_of(path_), before);
}

}  // namespace
}  // namespace kvzip
