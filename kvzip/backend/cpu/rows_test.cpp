// Moving rows: embedding, decoding, storing into the cache, gathering. Values must match to the bit where nothing is
// computed.
#include "kvzip/backend/cpu/rows.h"

#include <gtest/gtest.h>

#include <numeric>

#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/cpu_test_util.h"
#include "kvzip/base/parallel.h"

namespace kvzip {
namespace {

class RowsTest : public testing::Test {
 protected:
  void TearDown() override { set_thread_count(0); }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Random random_{31};
};

TEST_F(RowsTest, EmbedAndConvertDecodeAnyType) {
  for (size_t type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    set_thread_count(random_.between(1, 3));
    const size_t cols = dtype_info(dtype).block_values * random_.between(1, 4);
    const TestWeight table(dtype, 37, cols, 1, random_);
    TestMatrix whole(table.rows, cols, 2, random_);
    backend_->convert(table.view(), whole.view());
    std::vector<int32_t> ids(random_.between(1, 300));
    for (int32_t& id : ids) id = static_cast<int32_t>(random_.between(0, table.rows - 1));
    TestMatrix out(ids.size(), cols, 3, random_);
    backend_->embed(ids, table.view(), 2.5F, out.view());
    for (size_t i = 0; i < ids.size(); ++i) {
      const auto id = static_cast<size_t>(ids[i]);
      for (size_t col = 0; col < cols; ++col) {
        const float expected = table.row(id)[col];
        ASSERT_NEAR(whole.at(id, col), expected, 3e-7 * (1 + std::fabs(expected))) << dtype_name(dtype);
        ASSERT_EQ(out.at(i, col), 2.5F * whole.at(id, col)) << dtype_name(dtype);
      }
    }
    EXPECT_TRUE(out.gaps_untouched());
  }
}

TEST_F(RowsTest, StoreKvWritesEachHeadsRowsAndNoOthers) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const size_t tokens : {size_t{1}, size_t{5}, size_t{700}}) {
      set_thread_count(random_.between(1, 3));
      const size_t heads = random_.between(1, 5);
      const size_t head_dim = random_.between(1, 70);
      const size_t at = random_.between(0, 9);
      const size_t bytes = row_bytes(dtype, head_dim);
      TestMatrix k(tokens, heads * head_dim, 1, random_);
      TestMatrix v(tokens, heads * head_dim, 2, random_);
      const std::vector<std::byte> empty((at + tokens + 2) * bytes, std::byte{0x5A});
      std::vector<std::vector<std::byte>> memory(2 * heads, empty);
      std::vector<KvRows> rows;
      for (size_t head = 0; head < heads; ++head)
        rows.push_back({memory[2 * head].data(), memory[2 * head + 1].data(), 0});
      backend_->store_kv(k.view(), v.view(), rows, dtype, at);
      for (size_t head = 0; head < heads; ++head) {
        for (size_t which = 0; which < 2; ++which) {
          std::vector<std::byte> expected = empty;
          for (size_t token = 0; token < tokens; ++token) {
            const float* const from = &(which == 0 ? k : v).at(token, head * head_dim);
            convert_from_f32(from, dtype, expected.data() + (at + token) * bytes, head_dim);
          }
          ASSERT_EQ(memory[2 * head + which], expected) << dtype_name(dtype) << " tokens " << tokens;
        }
      }
    }
  }
}

TEST_F(RowsTest, GatherRows) {
  for (const DType dtype : {DType::f32, DType::f16, DType::q8_0, DType::q4_0}) {
    for (const size_t cols : {size_t{1}, size_t{17}, size_t{64}, size_t{80}}) {
      const size_t row_size = padded_row_bytes(dtype, cols);
      std::vector<uint8_t> from(2000 * row_size);
      std::iota(from.begin(), from.end(), uint8_t{0});
      set_thread_count(random_.between(1, 3));
      std::vector<uint32_t> index(random_.between(1, 3000));
      for (uint32_t& i : index) i = static_cast<uint32_t>(random_.between(0, 1999));
      std::vector<uint8_t> to(index.size() * row_size + 1, 0xEE);
      backend_->gather_rows({from.data(), dtype, 2000, cols, row_size}, index,
                            {to.data(), dtype, index.size(), cols, row_size});
      for (size_t i = 0; i < index.size(); ++i) {
        ASSERT_EQ(std::memcmp(&to[i * row_size], &from[index[i] * row_size], row_size), 0);
      }
      EXPECT_EQ(to.back(), 0xEE);
    }
  }
}

TEST_F(RowsTest, CopyAllowsOverlap) {
  std::vector<uint8_t> bytes(1000);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  const std::vector<uint8_t> before = bytes;
  backend_->copy(bytes.data() + 3, bytes.data(), 900);
  EXPECT_TRUE(std::equal(before.begin(), before.begin() + 900, bytes.begin() + 3));
}

}  // namespace
}  // namespace kvzip
