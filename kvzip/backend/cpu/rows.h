// Operations of the CPU backend that move rows: into the KV cache, out of tables, from place to place. What each does
// is said in backend/backend.h, where the shapes are checked. Stateless; each uses all threads when there is enough to
// do.
#pragma once

#include "kvzip/backend/backend.h"

namespace kvzip {

void convert_cpu(const ConstView& in, const View& out);
void embed_cpu(std::span<const int32_t> ids, const ConstView& table, float scale, const View& out);
void store_kv_cpu(const ConstView& k, const ConstView& v, std::span<const KvRows> heads, DType dtype, size_t at);
void gather_rows_cpu(const ConstView& from, std::span<const uint32_t> index, const View& to);

}  // namespace kvzip
