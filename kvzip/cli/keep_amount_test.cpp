#include "kvzip/cli/keep_amount.h"

#include <gtest/gtest.h>

#include <random>

#include "kvzip/base/error.h"

namespace kvzip::cli {
namespace {

TEST(KeepAmount, UnderstandsEveryUnit) {
  const auto expect = [](const char* text, KeepAmount::Unit unit, double value) {
    const KeepAmount amount = parse_keep(text);
    EXPECT_EQ(amount.unit, unit) << text;
    EXPECT_DOUBLE_EQ(amount.value, value) << text;
  };
  using Unit = KeepAmount::Unit;
  expect("0.3", Unit::ratio, 0.3);
  expect("1", Unit::ratio, 1);
  expect("1e-1", Unit::ratio, 0.1);
  expect("30%", Unit::ratio, 0.3);
  expect("100 %", Unit::ratio, 1);
  expect("200MiB", Unit::bytes, 200.0 * 1024 * 1024);
  expect("1.5GiB", Unit::bytes, 1.5 * 1024 * 1024 * 1024);
  expect("12kib", Unit::bytes, 12 * 1024);
  expect("3 MB", Unit::bytes, 3e6);
  expect("1500tokens", Unit::tokens, 1500);
  expect("1 token", Unit::tokens, 1);
}

TEST(KeepAmount, RefusesEverythingElseInOneLineThatSaysItIsKept) {
  for (const char* text :
       {"",    "0",     "1.5",     "-1",        "-0.5",  "nan",    "inf",  "abc",      "0.3x",     "130%", "0%",
        "MiB", "-5MiB", "0tokens", "0.2tokens", "1e400", "0x1p-1", "30%%", "30 % MiB", "5 apples", "1,5"}) {
    try {
      parse_keep(text);
      ADD_FAILURE() << text << " was understood";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << text;
      EXPECT_NE(std::string(error.what()).find("kept"), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }
}

/// Keys and values of one layer and token, counted without CacheShape's help.
size_t layer_row(const CacheShape& shape) {
  return 2 * shape.kv_heads * shape.head_dim * (shape.dtype == DType::f32 ? 4 : 2);
}

TEST(KeepAmount, CountsWhatIsNeverDroppedRowByRow) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    CacheShape shape{1 + random() % 5, 8 * (1 + random() % 9), {}, random() % 2 == 0 ? DType::f32 : DType::bf16};
    for (size_t layer = 0; layer < 1 + random() % 9; ++layer)
      shape.windows.push_back(random() % 2 == 0 ? 0 : 1 + random() % 40);
    const size_t system = random() % 20;
    const size_t document = random() % 90;
    size_t fixed = 0;
    size_t droppable = 0;
    for (const size_t window : shape.windows) {
      for (size_t position = 0; position < system + document; ++position) {
        const bool in_window = position + window > system + document;  // what a query right behind the document sees
        if (window > 0) fixed += in_window ? layer_row(shape) : 0;
        if (window == 0) (position < system ? fixed : droppable) += layer_row(shape);
      }
    }
    const CacheBytes bytes = cache_bytes(shape, system, document);
    ASSERT_EQ(bytes.fixed, fixed);
    ASSERT_EQ(bytes.document, droppable);
    ASSERT_EQ(bytes.kept(1), fixed + droppable);
  }
}

TEST(KeepAmount, BytesBecomeARatioThatStaysWithinThem) {
  const CacheShape shape{3, 64, std::vector<size_t>(30, 0), DType::f16};
  const size_t token = shape.token_bytes();
  const double ratio = keep_ratio({KeepAmount::Unit::bytes, static_cast<double>(400 * token)}, shape, 100, 1000);
  EXPECT_DOUBLE_EQ(ratio, 0.3);
  EXPECT_DOUBLE_EQ(keep_ratio({KeepAmount::Unit::bytes, 1e15}, shape, 100, 1000), 1);
  EXPECT_THROW(keep_ratio({KeepAmount::Unit::bytes, static_cast<double>(100 * token)}, shape, 100, 1000), Error);
}

TEST(KeepAmount, SlidingLayersCountAgainstTheBytes) {
  const CacheShape shape{1, 8, {0, 5}, DType::f16};
  const size_t row = 2 * 8 * 2;
  // 10 system rows, 4 rows of the window, 20 of the 100 document rows.
  EXPECT_DOUBLE_EQ(keep_ratio({KeepAmount::Unit::bytes, static_cast<double>((10 + 4 + 20) * row)}, shape, 10, 100),
                   0.2);
}

TEST(KeepAmount, TokensAreDocumentTokens) {
  const CacheShape shape{3, 64, std::vector<size_t>(30, 0), DType::f16};
  EXPECT_DOUBLE_EQ(keep_ratio({KeepAmount::Unit::tokens, 250}, shape, 100, 1000), 0.25);
  EXPECT_DOUBLE_EQ(keep_ratio({KeepAmount::Unit::tokens, 5000}, shape, 100, 1000), 1);
  EXPECT_DOUBLE_EQ(keep_ratio({KeepAmount::Unit::ratio, 0.4}, shape, 100, 1000), 0.4);
}

}  // namespace
}  // namespace kvzip::cli
