// Memory and the operations that move rows, on every backend. Values must match to the bit where nothing is computed.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "kvzip/base/error.h"
#include "tests/conformance/device_data.h"

namespace kvzip::conformance {
namespace {

class RowsConformance : public BackendTest {
 protected:
  /// Some rows below `rows`, in any order and number.
  std::vector<uint32_t> random_index(size_t rows) {
    std::vector<uint32_t> index(random_.between(1, 3000));
    for (uint32_t& i : index) i = static_cast<uint32_t>(random_.between(0, rows - 1));
    return index;
  }

  static void expect_quantised(std::span<const float> from, DType dtype, const std::byte* found) {
    std::vector<float> values((from.size() + 31) / 32 * 32);
    ggml_decode_row(dtype, found, values.data(), values.size());
    float step = 0;
    for (size_t col = 0; col < values.size(); ++col) {
      if (col >= from.size()) {
        ASSERT_EQ(values[col], 0.0F) << "what fills up the block";
        continue;
      }
      if (col % 32 == 0) {
        float largest = 0;
        for (const float value : from.subspan(col, std::min<size_t>(32, from.size() - col))) {
          largest = std::max(largest, std::fabs(value));
        }
        step = largest / (dtype == DType::q8_0 ? 127.0F : 8.0F);
      }
      const bool clipped = dtype == DType::q4_0 && std::fabs(from[col]) > 7.4F * step;
      ASSERT_NEAR(values[col], from[col], step * ((clipped ? 1.0F : 0.5F) + 127.0F / 2048)) << col;
    }
  }
};

TEST_P(RowsConformance, CopiesOfAllSizesArriveWhole) {
  for (const size_t bytes : {size_t{1}, size_t{255}, size_t{1000003}, (size_t{20} << 20U) + 7}) {
    std::vector<uint8_t> values(bytes);
    for (size_t i = 0; i < bytes; ++i) values[i] = static_cast<uint8_t>(i * 2654435761U >> 13U);
    const DeviceBytes device(*backend_, values);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(device.data()) % 64, 0U);
    EXPECT_TRUE(device.download<uint8_t>() == values) << bytes;
  }
}

TEST_P(RowsConformance, ManySmallUploadsDoNotOverwriteEachOther) {
  Buffer all(*backend_, 3000 * 4096);
  std::vector<uint32_t> expected(3000 * 1024);
  for (size_t i = 0; i < 3000; ++i) {
    const std::vector<uint32_t> part(1024, static_cast<uint32_t>(i));
    std::copy(part.begin(), part.end(), expected.begin() + static_cast<std::ptrdiff_t>(i * 1024));
    backend_->upload(static_cast<std::byte*>(all.data()) + i * 4096, part.data(), 4096);
  }
  std::vector<uint32_t> found(expected.size());
  backend_->download(found.data(), all.data(), all.bytes());
  EXPECT_TRUE(found == expected);
}

TEST_P(RowsConformance, CopyAllowsOverlap) {
  std::vector<uint8_t> bytes(100000);
  std::iota(bytes.begin(), bytes.end(), uint8_t{0});
  const DeviceBytes device(*backend_, bytes);
  auto* const data = static_cast<uint8_t*>(device.data());
  backend_->copy(data + 3, data, 90000);
  backend_->copy(data, data + 50, 70000);
  std::vector<uint8_t> expected = bytes;
  std::copy(bytes.begin(), bytes.begin() + 90000, expected.begin() + 3);
  const std::vector<uint8_t> shifted = expected;
  std::copy(shifted.begin() + 50, shifted.begin() + 70050, expected.begin());
  EXPECT_TRUE(device.download<uint8_t>() == expected);
}

TEST_P(RowsConformance, MoreMemoryThanThereIsIsAnError) {
  try {
    const Buffer huge(*backend_, size_t{1} << 50U);
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::memory) << error.what();
    EXPECT_NE(std::string(error.what()).find(std::to_string(size_t{1} << 50U)), std::string::npos) << error.what();
  }
  const Buffer small(*backend_, 1000);  // and the backend goes on working
  backend_->synchronize();
}

TEST_P(RowsConformance, AdoptConvertAndEmbedDecodeAnyType) {
  for (size_t type = 0; type < kDTypeCount; ++type) {
    const auto dtype = static_cast<DType>(type);
    const size_t cols = dtype_info(dtype).block_values * random_.between(1, 4);
    const TestWeight table(dtype, 37, cols, 1, random_);
    Buffer keep;
    const ConstView adopted = backend_->adopt(table.view(), keep);
    for (const DType held : {DType::f32, DType::bf16, DType::f16}) {
      DeviceMatrix whole(*backend_, held, table.rows, cols, 2, random_);
      backend_->convert(adopted, whole.view());
      whole.read();
      for (size_t i = 0; i < table.rows * cols; ++i) {
        const double expected = table.decoded[i];
        const double half = held == DType::f32 ? 3e-7 : held == DType::f16 ? 1.0 / 2048 : 1.0 / 256;
        ASSERT_NEAR(whole.host.at(i / cols, i % cols), expected, half * (1 + std::fabs(expected)))
            << dtype_name(dtype) << " as " << dtype_name(held) << " at " << i;
      }
      if (held == DType::f16) continue;
      std::vector<int32_t> ids(random_.between(1, 300));
      for (int32_t& id : ids) id = static_cast<int32_t>(random_.between(0, table.rows - 1));
      DeviceMatrix out(*backend_, DType::f32, ids.size(), cols, 3, random_);
      backend_->embed(ids, whole.view(), 2.5F, out.view());
      out.read();
      for (size_t i = 0; i < ids.size() * cols; ++i) {
        ASSERT_EQ(out.host.at(i / cols, i % cols), 2.5F * whole.host.at(static_cast<size_t>(ids[i / cols]), i % cols));
      }
    }
  }
}

TEST_P(RowsConformance, StoreKvWritesEachHeadsRowsAndNoOthers) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    for (const size_t tokens : {size_t{1}, size_t{5}, size_t{300}}) {
      for (const size_t head_dim : {size_t{64}, random_.between(1, 70)}) {
        const size_t heads = tokens == 5 ? 37 : random_.between(1, 5);
        const size_t at = random_.between(0, 9);
        const size_t bytes = row_bytes(dtype, head_dim);
        const DeviceMatrix k(*backend_, activations(), tokens, heads * head_dim, 8, random_);
        const DeviceMatrix v(*backend_, activations(), tokens, heads * head_dim, 0, random_);
        const std::vector<std::byte> empty((at + tokens + 2) * bytes, std::byte{0x5A});
        std::vector<DeviceBytes> memory;
        for (size_t i = 0; i < 2 * heads; ++i) memory.emplace_back(*backend_, empty);
        std::vector<KvRows> rows;
        for (size_t head = 0; head < heads; ++head) {
          rows.push_back({memory[2 * head].data(), memory[2 * head + 1].data(), 0});
        }
        backend_->store_kv(k.view(), v.view(), rows, dtype, at);
        for (size_t i = 0; i < 2 * heads; ++i) {
          std::vector<std::byte> expected = empty;
          for (size_t token = 0; token < tokens; ++token) {
            const float* const from =
                &(i % 2 == 0 ? k : v).host.values[token * (i % 2 == 0 ? k : v).host.stride] + i / 2 * head_dim;
            convert_from_f32(from, dtype, expected.data() + (at + token) * bytes, head_dim);
          }
          ASSERT_TRUE(memory[i].download<std::byte>() == expected) << dtype_name(dtype) << " tokens " << tokens;
        }
      }
    }
  }
}

TEST_P(RowsConformance, GatherRows) {
  for (const auto& [dtype, cols] : {std::pair{DType::f16, size_t{1}},
                                    {DType::f16, size_t{64}},
                                    {DType::f32, size_t{128}},
                                    {DType::bf16, size_t{80}},
                                    {DType::q8_0, size_t{17}},
                                    {DType::q8_0, size_t{64}},
                                    {DType::q4_0, size_t{80}}}) {
    const size_t row_size = padded_row_bytes(dtype, cols);
    std::vector<uint8_t> from(2000 * row_size);
    for (size_t i = 0; i < from.size(); ++i) from[i] = static_cast<uint8_t>(i * 2654435761U >> 11U);
    const std::vector<uint32_t> index = random_index(2000);
    const DeviceBytes source(*backend_, from);
    const DeviceBytes target(*backend_, std::vector<uint8_t>(index.size() * row_size + 1, 0xEE));
    backend_->gather_rows({source.data(), dtype, 2000, cols, row_size}, index,
                          {target.data(), dtype, index.size(), cols, row_size});
    std::vector<uint8_t> expected;
    for (const uint32_t i : index) {
      expected.insert(expected.end(), &from[i * row_size], &from[i * row_size] + row_size);
    }
    expected.push_back(0xEE);
    EXPECT_TRUE(target.download<uint8_t>() == expected) << dtype_name(dtype) << ", " << cols << " values";
  }
}

/// A block's scale is its largest size over 127 (q8_0) or its largest value over -8 (q4_0), in f16: relative 2^-11 off.
/// Rounding is off by half a step, and by up to a whole one where q4_0 would need 8 for the largest value of the other
/// sign. What fills up the last block is zero.
TEST_P(RowsConformance, GatherRowsQuantises) {
  for (const DType from_type : {DType::f32, DType::f16, DType::bf16}) {
    for (const DType dtype : {DType::q8_0, DType::q4_0}) {
      for (const size_t cols : {size_t{5}, size_t{16}, size_t{64}, size_t{80}, size_t{256}}) {
        SCOPED_TRACE(std::string(dtype_name(dtype)) + " from " + std::string(dtype_name(from_type)) + ", " +
                     std::to_string(cols) + " values");
        const TestWeight from(from_type, 300, cols, 2, random_);
        const std::vector<uint32_t> index = random_index(from.rows);
        const size_t row_size = padded_row_bytes(dtype, cols);
        const DeviceBytes source(*backend_, from.bytes);
        const DeviceBytes target(*backend_, std::vector<std::byte>(index.size() * row_size + 1, std::byte{0xEE}));
        backend_->gather_rows({source.data(), from_type, from.rows, cols, from.stride}, index,
                              {target.data(), dtype, index.size(), cols, row_size});
        const auto found = target.download<std::byte>();
        EXPECT_EQ(found.back(), std::byte{0xEE});
        for (size_t i = 0; i < index.size(); ++i) {
          expect_quantised({from.row(index[i]), cols}, dtype, found.data() + i * row_size);
        }
      }
    }
  }
}

/// Heads of any number of rows, some without an index, from and to one piece of memory each.
TEST_P(RowsConformance, GatherHeads) {
  for (const auto& [from_type, to_type, head_dim] : {std::tuple{DType::bf16, DType::bf16, size_t{128}},
                                                     {DType::f16, DType::f16, size_t{24}},
                                                     {DType::f32, DType::f32, size_t{5}},
                                                     {DType::q8_0, DType::q8_0, size_t{64}},
                                                     {DType::f16, DType::q8_0, size_t{64}}}) {
    const size_t from_row = padded_row_bytes(from_type, head_dim), to_row = padded_row_bytes(to_type, head_dim);
    for (const size_t heads : {size_t{1}, size_t{11}}) {
      constexpr size_t kLen = 300;
      const TestWeight rows(from_type, 2 * heads * kLen, head_dim, 0, random_);
      const DeviceBytes source(*backend_, rows.bytes);
      std::vector<std::vector<uint32_t>> indexes(heads);
      std::vector<size_t> counts(heads);
      size_t total = 0;
      for (size_t h = 0; h < heads; ++h) {
        if (h % 3 == 1) indexes[h] = random_index(kLen);
        counts[h] = h % 3 == 1 ? indexes[h].size() : h % 4 == 2 ? 0 : random_.between(1, kLen);
        total += counts[h];
      }
      const DeviceBytes target(*backend_, std::vector<std::byte>(2 * total * to_row + 1, std::byte{0xEE}));
      const auto row_at = [](void* data, size_t row, size_t bytes) {
        return static_cast<std::byte*>(data) + row * bytes;
      };
      std::vector<HeadGather> gathers;
      size_t at = 0;
      for (size_t h = 0; h < heads; ++h) {
        gathers.push_back(
            {{row_at(source.data(), 2 * h * kLen, from_row), row_at(source.data(), (2 * h + 1) * kLen, from_row), kLen},
             indexes[h],
             counts[h],
             {row_at(target.data(), at, to_row), row_at(target.data(), total + at, to_row), counts[h]}});
        at += counts[h];
      }
      backend_->gather_heads(gathers, from_type, to_type, head_dim);
      const auto found = target.download<std::byte>();
      ASSERT_EQ(found.back(), std::byte{0xEE});
      at = 0;
      for (size_t h = 0; h < heads; ++h) {
        for (size_t i = 0; i < counts[h]; ++i, ++at) {
          const size_t row = indexes[h].empty() ? i : indexes[h][i];
          for (const size_t value : {0, 1}) {
            const size_t from = (2 * h + value) * kLen + row;
            const std::byte* const result = found.data() + (value * total + at) * to_row;
            if (from_type == to_type) {
              ASSERT_TRUE(std::equal(result, result + to_row, rows.bytes.data() + from * from_row)) << h << ' ' << i;
            } else {
              expect_quantised({rows.row(from), head_dim}, to_type, result);
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, RowsConformance, testing::ValuesIn(all_cases()), case_name);

}  // namespace
}  // namespace kvzip::conformance
