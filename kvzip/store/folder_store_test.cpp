#include "kvzip/store/folder_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <thread>

#include "kvzip/base/error.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/context_file_test_data.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

class FolderStoreTest : public testing::Test {
 protected:
  static std::string name_of(int number) {
    return context_address({{"model", "test"}}, {}, std::vector<TokenId>{number}, {});
  }
  void add(FolderStore& store, int number, ContextStore::Pin pin = ContextStore::Pin::no) {
    store.add(
        name_of(number),
        [&](ByteSink& out, uint64_t most) {
          ContextOrigin origin = document_.origin(Level::pair, 0.5);
          origin.title = "document " + std::to_string(number);
          write_context(out, "context", context_, origin, {.most_bytes = most});
        },
        pin);
  }
  static std::vector<std::string> names(FolderStore& store) {
    std::vector<std::string> found;
    for (const StoreEntry& entry : store.list()) found.push_back(entry.name);
    return found;
  }
  void use_at(FolderStore& store, int number, time_t second) {
    const timespec times[2] = {{second, 0}, {second, 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, (store.folder() + "/" + name_of(number) + ".kvz").c_str(), times, 0), 0);
  }
  template <class Call>
  static std::string error_of(const Call& call) {
    try {
      call();
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  MadeUpDocument document_{51, {.kv_heads = 1, .head_dim = 16, .windows = {0, 0}, .dtype = DType::f16}, 2, 50};
  Context context_ = document_.context(Level::pair, 0.5);
  TempFolder folder_;
  uint64_t one_ = document_.write(folder_.file("one"), Level::pair, 0.5);  // bytes of a context
};

TEST_F(FolderStoreTest, FindsWhatWasAdded) {
  FolderStore store(folder_.file("deep/er/store"), 1U << 30U);
  EXPECT_FALSE(store.find(name_of(1)));
  add(store, 1);
  const auto file = store.find(name_of(1));
  ASSERT_TRUE(file);
  EXPECT_EQ(difference(Context::from_rows(document_.backend(), file->rows({})), context_), "");
  EXPECT_FALSE(store.find(name_of(2)));
  struct stat status {};
  ASSERT_EQ(::stat(store.folder().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U) << "documents are private";
}

TEST_F(FolderStoreTest, EvictsTheLeastRecentlyUsedAndNeverThePinned) {
  FolderStore store(folder_.file("store"), 3 * one_ + one_ / 2);
  add(store, 1, ContextStore::Pin::yes);
  add(store, 2);
  add(store, 3);
  use_at(store, 1, 1000);
  use_at(store, 2, 2000);
  use_at(store, 3, 3000);
  store.touch(name_of(2));
  add(store, 4);
  EXPECT_EQ(names(store), (std::vector<std::string>{name_of(4), name_of(2), name_of(1)}));
  store.pin(name_of(1), ContextStore::Pin::no);
  add(store, 5);
  EXPECT_EQ(names(store), (std::vector<std::string>{name_of(5), name_of(4), name_of(2)}));
  const ContextStore::Freed freed = store.collect(one_ + one_ / 2);
  EXPECT_EQ(freed.files, 2U);
  EXPECT_NEAR(static_cast<double>(freed.bytes), 2.0 * static_cast<double>(one_), 8);
  EXPECT_EQ(names(store), (std::vector<std::string>{name_of(5)}));
}

TEST_F(FolderStoreTest, WhatCantFitBesideThePinnedIsRefused) {
  FolderStore store(folder_.file("store"), 2 * one_ + one_ / 2);
  add(store, 1, ContextStore::Pin::yes);
  add(store, 2, ContextStore::Pin::yes);
  EXPECT_NE(error_of([&] { add(store, 3); }).find("more than the"), std::string::npos);
  EXPECT_NE(error_of([&] { add(store, 3, ContextStore::Pin::yes); }).find("more than the"), std::string::npos);
  EXPECT_EQ(names(store).size(), 2U);
  store.remove(name_of(1));
  add(store, 3);
  EXPECT_EQ(names(store), (std::vector<std::string>{name_of(3), name_of(2)}));
  EXPECT_FALSE(store.list().front().pinned) << "what failed left no pin";
}

TEST_F(FolderStoreTest, ResolvesNamesPrefixesAndTitles) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  add(store, 1);
  add(store, 2);
  EXPECT_EQ(store.resolve(name_of(1)), name_of(1));
  EXPECT_EQ(store.resolve(name_of(1).substr(0, 6)), name_of(1));
  EXPECT_EQ(store.resolve("document 2"), name_of(2));
  for (const char* wrong : {"", "a", "document 3", "../document 1", "../../etc/passwd"})
    EXPECT_NE(error_of([&] { store.resolve(wrong); }).find("found none"), std::string::npos) << wrong;
  EXPECT_NE(error_of([&] { store.remove(name_of(3)); }).find("no such context"), std::string::npos);
}

TEST_F(FolderStoreTest, NamesStayInTheFolder) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  std::filesystem::copy_file(folder_.file("one"), folder_.file("one.kvz"));
  for (const std::string& name : {std::string("../one"), std::string("/etc/passwd"), std::string(32, '.'),
                                  std::string(32, 'A'), std::string("../") + std::string(29, '0')}) {
    EXPECT_THROW(store.find(name), Error) << name;
    EXPECT_THROW(store.remove(name), Error) << name;
    EXPECT_THROW(store.pin(name, ContextStore::Pin::yes), Error) << name;
    EXPECT_THROW(store.add(name, [](ByteSink&, uint64_t) { FAIL(); }), Error) << name;
  }
}

TEST_F(FolderStoreTest, LinksAreNotFollowed) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  const std::string inside = store.folder() + "/" + name_of(1);
  std::filesystem::create_symlink(folder_.file("one"), inside + ".kvz");
  EXPECT_FALSE(store.find(name_of(1)));
  EXPECT_TRUE(store.list().empty());
  EXPECT_THROW(store.remove(name_of(1)), Error);
  add(store, 1);  // in place of the link
  EXPECT_TRUE(store.find(name_of(1)));
  std::filesystem::create_symlink(folder_.file("one"), inside + ".pin");
  EXPECT_THROW(store.pin(name_of(1), ContextStore::Pin::yes), Error);
  EXPECT_EQ(std::filesystem::file_size(folder_.file("one")), one_) << "untouched";
  std::filesystem::remove(store.folder() + "/lock");
  std::filesystem::create_symlink(folder_.file("one"), store.folder() + "/lock");
  EXPECT_THROW(store.collect(0), Error);
}

TEST_F(FolderStoreTest, CleansUpAfterThoseWhoDied) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  add(store, 1);
  const std::string left = store.folder() + "/" + name_of(2);
  std::ofstream(left + ".kvz.123-0.tmp") << "half";
  std::ofstream(left + ".pin") << "";
  std::ofstream(store.folder() + "/notes.txt") << "not ours";
  store.collect(1U << 30U);
  EXPECT_FALSE(std::filesystem::exists(left + ".kvz.123-0.tmp"));
  EXPECT_FALSE(std::filesystem::exists(left + ".pin"));
  EXPECT_TRUE(std::filesystem::exists(store.folder() + "/notes.txt"));
  EXPECT_EQ(names(store), (std::vector<std::string>{name_of(1)}));
}

TEST_F(FolderStoreTest, AnOpenContextSurvivesItsRemoval) {
  FolderStore store(folder_.file("store"), 1U << 30U);
  add(store, 1);
  const auto file = store.find(name_of(1));
  store.remove(name_of(1));
  EXPECT_EQ(difference(Context::from_rows(document_.backend(), file->rows({})), context_), "");
}

TEST_F(FolderStoreTest, ThreadsShareIt) {
  const std::string folder = folder_.file("store");
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      const size_t whole = one_;
      MadeUpDocument document(60 + thread, {.kv_heads = 1, .head_dim = 16, .windows = {0, 0}, .dtype = DType::f16}, 2,
                              50);
      FolderStore store(folder, 6 * whole);
      for (int i = 0; i < 10; ++i) {
        const std::string name = name_of(thread * 100 + i % 3);
        store.add(name,
                  [&](ByteSink& out, uint64_t most) { document.write(out, Level::pair, 0.5, {.most_bytes = most}); });
        store.collect(4 * whole);
        for (const StoreEntry& entry : store.list()) {
          if (const auto file = store.find(entry.name)) file->verify();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(FolderStore(folder, 0).list().size(), 4U);
}

TEST(ContextAddress, DependsOnEverythingThatDecidesRows) {
  const std::vector<TokenId> system = {1, 2}, document = {3, 4, 5};
  const Fingerprint model = {{"weights", "1"}};
  std::vector<std::string> names = {
      context_address(model, system, document, {}),
      context_address({{"weights", "2"}}, system, document, {}),
      context_address(model, std::vector<TokenId>{1}, document, {}),
      context_address(model, std::vector<TokenId>{1, 2, 3}, std::vector<TokenId>{4, 5}, {}),
      context_address(model, system, document, {.kv_type = DType::q8_0}),
      context_address(model, system, document, {.level = Level::head}),
      context_address(model, system, document, {.scoring = "other"}),
      context_address(model, system, document, {.exact_weights = true})};
  EXPECT_EQ(context_address(model, system, document, {}), names.front());
  for (const std::string& name : names) EXPECT_TRUE(is_context_address(name)) << name;
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::unique(names.begin(), names.end()), names.end());
}

}  // namespace
}  // namespace kvzip
