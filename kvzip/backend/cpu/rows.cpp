#include "kvzip/backend/cpu/rows.h"

#include <cstring>
#include <vector>

#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/elementwise.h"
#include "kvzip/backend/cpu/ggml_traits.h"
#include "kvzip/base/parallel.h"

namespace kvzip {

void convert_cpu(const ConstView& in, const View& out) {
  parallel_ranges(in.rows, row_grain(in.cols), [&](size_t begin, size_t end) {
    std::vector<float> values(out.dtype == DType::f32 ? 0 : in.cols);
    for (size_t row = begin; row < end; ++row) {
      const View to = rows_of(out, row, 1);
      float* const decoded = out.dtype == DType::f32 ? static_cast<float*>(to.data) : values.data();
      convert_to_f32(in.dtype, rows_of(in, row, 1).data, decoded, in.cols);
      if (out.dtype != DType::f32) convert_from_f32(decoded, out.dtype, to.data, in.cols);
    }
  });
}

void embed_cpu(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out) {
  parallel_ranges(ids.size(), row_grain(table.cols), [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      const ConstView row = rows_of(table, static_cast<size_t>(ids[i]), 1);
      convert_to_f32(table.dtype, row.data, f32_row(out, i), table.cols);
      if (scale != 1.0F) scale_values(scale, f32_row(out, i), table.cols);
    }
  });
}

void store_kv_cpu(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at) {
  const size_t head_dim = k.cols / heads.size();
  const size_t bytes = row_bytes(dtype, head_dim);
  parallel_ranges(k.rows, row_grain(2 * k.cols), [&](size_t begin, size_t end) {
    for (size_t head = 0; head < heads.size(); ++head) {
      auto* const k_rows = static_cast<std::byte*>(heads[head].k) + at * bytes;
      auto* const v_rows = static_cast<std::byte*>(heads[head].v) + at * bytes;
      for (size_t row = begin; row < end; ++row) {
        convert_from_f32(f32_row(k, row) + head * head_dim, dtype, k_rows + row * bytes, head_dim);
        convert_from_f32(f32_row(v, row) + head * head_dim, dtype, v_rows + row * bytes, head_dim);
      }
    }
  });
}

void gather_rows_cpu(const ConstView& from, std::span<const uint32_t> index, const View& to) {
  const size_t bytes = padded_row_bytes(to.dtype, to.cols);
  const size_t block = dtype_info(to.dtype).block_values;
  parallel_ranges(index.size(), row_grain(from.cols), [&](size_t begin, size_t end) {
    std::vector<float> values(from.dtype == to.dtype ? 0 : (from.cols + block - 1) / block * block);
    for (size_t i = begin; i < end; ++i) {
      const void* source = rows_of(from, index[i], 1).data;
      void* target = rows_of(to, i, 1).data;
      if (from.dtype == to.dtype) {
        std::memcpy(target, source, bytes);
      } else {
        convert_to_f32(from.dtype, source, values.data(), from.cols);  // what is beyond stays zero
        ggml_encode_row(to.dtype, values.data(), target, values.size());
      }
    }
  });
}

}  // namespace kvzip
