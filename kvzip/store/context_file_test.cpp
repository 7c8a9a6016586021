#include "kvzip/store/context_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <functional>
#include <iterator>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/store/context_file_test_data.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

constexpr size_t kSystem = 5;
constexpr size_t kDocument = 157;

CacheShape shape_of(DType dtype) { return {.kv_heads = 3, .head_dim = 40, .windows = {0, 23, 0, 0}, .dtype = dtype}; }

ContextKey key_of(int first) {
  ContextKey key{};
  key[0] = static_cast<std::byte>(first);
  return key;
}

std::vector<std::byte> bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

std::string error_of(const std::function<void()>& call, ErrorCode code = ErrorCode::input) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  return "no error";
}

void expect_every_flip_found(std::vector<std::byte> bytes, const std::optional<ContextKey>& key) {
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    const std::string error = error_of([&] { ContextFile(bytes, "bit", key).verify(); });
    ASSERT_NE(error, "no error") << "bit " << bit;
    ASSERT_EQ(error.find('\n'), std::string::npos);
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  }
  EXPECT_EQ(error_of([&] { ContextFile(bytes, "bit", key).verify(); }), "no error");
}

struct Variant {
  DType dtype;
  bool zstd;
  bool keyed;

  WriteOptions write() const { return {.zstd = zstd, .key = keyed ? std::optional(key_of(7)) : std::nullopt}; }
  ContextFile::Options read() const { return {.key = write().key}; }
};

class ContextFileVariants : public testing::TestWithParam<Variant> {
 protected:
  TempFolder folder_;
  std::string path_ = folder_.file("a.kvz");
};

INSTANTIATE_TEST_SUITE_P(All, ContextFileVariants,
                         testing::Values(Variant{DType::f32, false, false}, Variant{DType::f16, false, false},
                                         Variant{DType::bf16, false, false}, Variant{DType::q8_0, false, false},
                                         Variant{DType::q4_0, false, false}, Variant{DType::f16, true, false},
                                         Variant{DType::q4_0, true, true}, Variant{DType::f16, false, true}),
                         [](const auto& variant) {
                           return std::string(dtype_name(variant.param.dtype)) + (variant.param.zstd ? "_zstd" : "") +
                                  (variant.param.keyed ? "_keyed" : "");
                         });

TEST_P(ContextFileVariants, EveryRatioHoldsTheRowsOfAFreshCompression) {
  MadeUpDocument document(21, shape_of(GetParam().dtype), kSystem, kDocument);
  for (const double made : {1.0, 0.55}) {
    document.write(path_, Level::pair, made, GetParam().write());
    const ContextFile file = ContextFile::open(path_, GetParam().read());
    for (int percent = 5; percent <= static_cast<int>(made * 100); percent += 5) {
      const double ratio = percent / 100.0;
      const Context stored = Context::from_rows(document.backend(), file.rows({.ratio = ratio}));
      EXPECT_EQ(difference(stored, document.context(Level::pair, ratio)), "") << "cut at " << ratio << " of " << made;
    }
    const Context whole = Context::from_rows(document.backend(), file.rows({}));
    EXPECT_EQ(difference(whole, document.context(Level::pair, made)), "");
  }
}

TEST_P(ContextFileVariants, GivesBackTokensAndText) {
  MadeUpDocument document(22, shape_of(GetParam().dtype), kSystem, kDocument);
  document.write(path_, Level::pair, 0.3, GetParam().write());
  const ContextFile file = ContextFile::open(path_, GetParam().read());
  EXPECT_EQ(file.tokens(), document.tokens());
  EXPECT_EQ(file.text(), document.text());
  EXPECT_EQ(file.description().title, "made up.txt");
  EXPECT_EQ(file.description().fingerprint, (Fingerprint{{"weights", "0123"}, {"rope", "base 10000"}}));
  file.verify();
}

TEST_P(ContextFileVariants, TheSameContextGivesTheSameBytes) {
  MadeUpDocument document(23, shape_of(GetParam().dtype), kSystem, kDocument);
  document.write(path_, Level::pair, 0.3, GetParam().write());
  const auto first = bytes_of(path_);
  MadeUpDocument again(23, shape_of(GetParam().dtype), kSystem, kDocument);
  EXPECT_EQ(again.write(path_, Level::pair, 0.3, GetParam().write()), first.size());
  EXPECT_EQ(bytes_of(path_), first);
  EXPECT_EQ(folder_.entries(), 1U);
}

TEST_P(ContextFileVariants, EveryTruncationIsFound) {
  MadeUpDocument document(24, {.kv_heads = 2, .head_dim = 8, .windows = {0, 9}, .dtype = GetParam().dtype}, 3, 40);
  document.write(path_, Level::pair, 0.6, GetParam().write());
  const auto bytes = bytes_of(path_);
  for (size_t size = 0; size < bytes.size(); ++size)
    ASSERT_NE(error_of([&] { ContextFile(std::span(bytes).first(size), "cut", GetParam().read().key); }), "no error");
  auto longer = bytes;
  longer.push_back({});
  EXPECT_THROW(ContextFile(longer, "long", GetParam().read().key), Error);
}

TEST_P(ContextFileVariants, EveryFlippedBitIsFound) {
  MadeUpDocument document(25, {.kv_heads = 2, .head_dim = 8, .windows = {0, 9}, .dtype = GetParam().dtype}, 3, 14);
  document.write(path_, Level::pair, 0.6, GetParam().write());
  expect_every_flip_found(bytes_of(path_), GetParam().read().key);
}

class ContextFileTest : public testing::Test {
 protected:
  MadeUpDocument document_{31, shape_of(DType::f16), kSystem, kDocument};
  TempFolder folder_;
  std::string path_ = folder_.file("a.kvz");
};

// Half a million bits, on one thread: the blocks are too few for more.
TEST_F(ContextFileTest, EveryFlippedBitOf64KiBIsFound) {
  document_.write(path_, Level::pair, 0.2);
  const auto bytes = bytes_of(path_);
  ASSERT_NEAR(static_cast<double>(bytes.size()), 65536, 4000);
  const size_t threads = thread_count();
  set_thread_count(1);
  expect_every_flip_found(bytes, {});
  set_thread_count(threads);
}

TEST_F(ContextFileTest, OnlyTheLeadingBlocksOfEachHeadAreRead) {
  const CacheShape shape{.kv_heads = 2, .head_dim = 64, .windows = {0, 0}, .dtype = DType::f16};
  MadeUpDocument document(32, shape, 7, 3000);
  const uint64_t file_bytes = document.write(path_, Level::pair, 1);
  for (const double ratio : {0.5, 0.1, 0.01}) {
    const ContextFile file = ContextFile::open(path_);
    const uint64_t opened = file.bytes_read();
    EXPECT_LT(opened, 5000U);
    const ContextRows rows = file.rows({.ratio = ratio});
    uint64_t expected =
        opened + file.layout().part(ContextLayout::kOrder).bytes + file.layout().part(ContextLayout::kSamples).bytes;
    for (const uint32_t kept : rows.held.rows) {
      const uint64_t blocks = (7 + kept + 255) / 256;  // of 256 rows of 128 bytes
      expected += 2 * std::min<uint64_t>(blocks * 32768, 3007 * 128);
    }
    EXPECT_EQ(file.bytes_read(), expected);
    EXPECT_LT(static_cast<double>(file.bytes_read()), static_cast<double>(file_bytes) * (ratio + 0.1));
  }
}

/// Pages of a file that are in memory, of so many.
struct Residency {
  size_t resident = 0;
  size_t pages = 0;
};
Residency residency_of(const std::string& path) {
  const MappedFile file(path);
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((file.bytes().size() + page - 1) / page);
  EXPECT_EQ(::mincore(const_cast<std::byte*>(file.bytes().data()), file.bytes().size(), pages.data()), 0);
  return {static_cast<size_t>(std::count_if(pages.begin(), pages.end(), [](unsigned char p) { return p % 2 == 1; })),
          pages.size()};
}

/// Whether the file's pages have left memory, which not every file system lets them do.
bool forget(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  ::fsync(fd);
  ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
  ::close(fd);
  return residency_of(path).resident == 0;
}

TEST_F(ContextFileTest, TheDiskReadsNoMoreThanIsNeeded) {
  const CacheShape shape{.kv_heads = 2, .head_dim = 64, .windows = {0, 0}, .dtype = DType::f16};
  MadeUpDocument document(34, shape, 7, 6000);
  for (const bool zstd : {false, true}) {
    document.write(path_, Level::pair, 1, {.zstd = zstd});
    if (!forget(path_)) GTEST_SKIP() << "the file stays in memory here";
    ASSERT_TRUE(is_context_file(path_));
    const ContextFile file = ContextFile::open(path_);
    const ContextRows rows = file.rows({.ratio = 0.1});
    const Residency left = residency_of(path_);
    const auto read = static_cast<double>(file.bytes_read());
    EXPECT_LT(read, static_cast<double>(left.pages) * 4096 * 0.4);
    // Each of the 8 arrays of rows, and the few parts beside them, may begin and end within a page.
    EXPECT_LE(static_cast<double>(left.resident), read / static_cast<double>(::sysconf(_SC_PAGESIZE)) + 2 * 16);
  }
}

// A block that a ratio doesn't need may be damaged: it isn't looked at.
TEST_F(ContextFileTest, DamageIsFoundWhereItIsReadAndNowhereElse) {
  const CacheShape shape{.kv_heads = 1, .head_dim = 64, .windows = {0}, .dtype = DType::f16};
  MadeUpDocument document(33, shape, 7, 1000);
  document.write(path_, Level::pair, 1);
  auto bytes = bytes_of(path_);
  bytes[64 + 2 * 1007 * 128 - 1] ^= std::byte{1};  // the last of the value rows
  const ContextFile file(bytes, "damaged.kvz", {});
  EXPECT_NO_THROW(file.rows({.ratio = 0.5}));
  EXPECT_NE(error_of([&] { file.rows({}); }).find("damaged.kvz: damaged: block"), std::string::npos);
}

TEST_F(ContextFileTest, RowsAreUsedWhereTheyLie) {
  document_.write(path_, Level::pair, 0.5);
  const auto bytes = bytes_of(path_);
  const ContextFile file(bytes, "f", {});
  const Context context = Context::from_rows(document_.backend(), file.rows({.ratio = 0.2}));
  const ContextCut cut(context, context.held());
  for (size_t layer = 0; layer < 4; ++layer) {
    for (const KvRows& head : cut.segment(layer).heads) {
      const auto* k = static_cast<const std::byte*>(head.k);
      EXPECT_TRUE(k >= bytes.data() && k < bytes.data() + bytes.size());
      EXPECT_EQ((k - bytes.data()) % 64, 0);
    }
  }
}

TEST_F(ContextFileTest, ContextsOutliveTheFileAndShrink) {
  document_.write(path_, Level::pair, 0.5);
  Context context = Context::from_rows(document_.backend(), ContextFile::open(path_).rows({}));
  std::filesystem::remove(path_);
  EXPECT_EQ(difference(context, document_.context(Level::pair, 0.5)), "");
  const Keep fewer = select(document_.scores(), Level::pair, 0.2).keep;
  context.shrink(fewer);
  EXPECT_EQ(difference(context, document_.context(fewer)), "");
}

TEST_F(ContextFileTest, OtherLevelsAreCutByTheirOwnRule) {
  for (const Level level : {Level::pair_uniform, Level::head}) {
    document_.write(path_, level, 0.6);
    const ContextFile file = ContextFile::open(path_);
    for (const double ratio : {0.6, 0.35, 0.1}) {
      const Context stored = Context::from_rows(document_.backend(), file.rows({.ratio = ratio}));
      EXPECT_EQ(difference(stored, document_.context(level, ratio)), "") << level_name(level) << " " << ratio;
    }
    EXPECT_NE(error_of([&] { file.rows({.ratio = 0.3, .level = Level::pair}); }, ErrorCode::usage).find("by level"),
              std::string::npos);
  }
  document_.write(path_, Level::pair, 1);
  const Context heads =
      Context::from_rows(document_.backend(), ContextFile::open(path_).rows({.ratio = 0.5, .level = Level::head}));
  EXPECT_EQ(difference(heads, document_.context(Level::head, 0.5)), "") << "what holds everything can be cut by any";
}

TEST_F(ContextFileTest, GivenHeadScoresMustBeGivenAgain) {
  HeadScores given = head_scores(document_.scores());
  for (float& score : given.values) score = document_.uniform();
  const Context context = document_.context(select(document_.scores(), Level::head, 0.6, given).keep);
  ContextOrigin origin = document_.origin(Level::head, 0.6);
  origin.given_head_scores = true;
  write_context(path_, context, origin);
  const ContextFile file = ContextFile::open(path_);
  EXPECT_THROW(file.rows({.ratio = 0.3}), Error);
  const Context stored =
      Context::from_rows(document_.backend(), file.rows({.ratio = 0.3, .level = {}, .heads = &given}));
  EXPECT_EQ(difference(stored, document_.context(select(document_.scores(), Level::head, 0.3, given).keep)), "");
  EXPECT_EQ(difference(Context::from_rows(document_.backend(), file.rows({})), context), "");
}

TEST_F(ContextFileTest, CannotBeExtended) {
  document_.write(path_, Level::pair, 0.5);
  const ContextFile file = ContextFile::open(path_);
  EXPECT_NE(error_of([&] { file.rows({.ratio = 0.51}); }, ErrorCode::usage).find("holds 0.5"), std::string::npos);
}

TEST_F(ContextFileTest, RandomShapesComeBack) {
  std::mt19937 random(41);
  constexpr DType kTypes[] = {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0};
  for (int round = 0; round < 40; ++round) {
    CacheShape shape{
        .kv_heads = 1 + random() % 4, .head_dim = 1 + random() % 70, .windows = {}, .dtype = kTypes[random() % 5]};
    for (size_t layers = 1 + random() % 4; layers > 0; --layers)
      shape.windows.push_back(random() % 3 == 0 ? 1 + random() % 50 : 0);
    MadeUpDocument document(round, shape, random() % 9, 1 + random() % 90);
    const double ratio = 0.05 + 0.95 * document.uniform();
    document.write(path_, Level::pair, ratio, {.zstd = round % 2 == 0});
    const ContextFile file = ContextFile::open(path_);
    file.verify();
    EXPECT_EQ(difference(Context::from_rows(document.backend(), file.rows({.ratio = ratio / 2})),
                         document.context(Level::pair, ratio / 2)),
              "")
        << "round " << round;
  }
}

TEST_F(ContextFileTest, KeysMustFit) {
  document_.write(path_, Level::pair, 0.5, {.key = key_of(1)});
  EXPECT_NE(error_of([&] { ContextFile::open(path_); }).find("made with a key"), std::string::npos);
  EXPECT_NE(error_of([&] { ContextFile::open(path_, {.key = key_of(2)}); }).find("not made with this key"),
            std::string::npos);
  document_.write(path_, Level::pair, 0.5);
  EXPECT_NE(error_of([&] { ContextFile::open(path_, {.key = key_of(1)}); }).find("made without any"),
            std::string::npos);
}

TEST_F(ContextFileTest, OtherFilesAreNamed) {
  std::ofstream(path_) << std::string(5000, 'x');
  EXPECT_FALSE(is_context_file(path_));
  EXPECT_FALSE(is_context_file(folder_.file("none")));
  EXPECT_NE(error_of([&] { ContextFile::open(path_); }).find("a.kvz: expected a context file"), std::string::npos);
  document_.write(path_, Level::pair, 0.5);
  EXPECT_TRUE(is_context_file(path_));
  auto bytes = bytes_of(path_);
  bytes[8] = std::byte{1};
  EXPECT_EQ(error_of([&] { ContextFile(bytes, "f", {}); }),
            "f: expected a context file of version 2, found version 1: compress the document again");
  bytes[8] = std::byte{9};
  EXPECT_EQ(error_of([&] { ContextFile(bytes, "f", {}); }),
            "f: expected a context file of version 2, found version 9: made by a newer kvzip");
}

TEST_F(ContextFileTest, AFileTooLargeIsRefusedBeforeItIsWritten) {
  EXPECT_NE(
      error_of([&] { document_.write(path_, Level::pair, 1, {.most_bytes = 20'000}); }).find("more than the 20000"),
      std::string::npos);
  EXPECT_EQ(folder_.entries(), 0U);
}

TEST(ContextKeyTest, ComesFromBytesOrDigits) {
  const TempFolder folder;
  const auto made = [&](const std::string& content) {
    std::ofstream(folder.file("key"), std::ios::binary) << content;
    return read_context_key(folder.file("key"));
  };
  EXPECT_EQ(made(std::string("\x01", 1) + std::string(31, '\0')), key_of(1));
  EXPECT_EQ(made("01" + std::string(62, '0') + "\n"), key_of(1));
  EXPECT_THROW(made("01"), Error);
  EXPECT_THROW(made(std::string(64, 'g')), Error);
  EXPECT_THROW(made(std::string(66, '0')), Error);
}

}  // namespace
}  // namespace kvzip
