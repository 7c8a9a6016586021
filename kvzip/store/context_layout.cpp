#include "kvzip/store/context_layout.h"

#include <algorithm>
#include <numeric>

#include "kvzip/base/error.h"
#include "kvzip/store/score_ranks.h"

namespace kvzip {
namespace {

constexpr uint64_t kBlockBytes = 32768;
constexpr uint64_t kMostBytes = uint64_t{1} << 50U;  // sums of sizes stay far from overflow

}  // namespace

size_t head_rows(const ContextDescription& description, size_t layer, size_t kept) {
  const size_t window = description.shape.windows[layer];
  return window == 0 ? description.system_tokens + kept : std::min(description.read_tokens(), window - 1);
}

ContextLayout::ContextLayout(const ContextDescription& description, const std::string& path)
    : kv_heads_(description.shape.kv_heads) {
  const CacheShape& shape = description.shape;
  const uint64_t row = shape.head_row_bytes();
  const uint64_t block = std::max<uint64_t>(kBlockBytes / row, 1) * row;
  size_t scored = 0;
  for (size_t layer = 0; layer < shape.layers(); ++layer) {
    for (size_t head = 0; head < kv_heads_; ++head) {
      const size_t kept = shape.windows[layer] == 0 ? description.held.at(scored, head) : 0;
      const uint64_t bytes = head_rows(description, layer, kept) * row;
      add(bytes, block, path);
      add(bytes, block, path);
    }
    if (shape.windows[layer] == 0) ++scored;
  }
  add((description.read_tokens() * description.token_bits + 7) / 8, kBlockBytes, path);
  add(description.text_bytes, kBlockBytes, path);
  add(score_samples(description.held.pairs()) * sizeof(float), kBlockBytes, path);
  add(std::accumulate(description.order_bytes.begin(), description.order_bytes.end(), uint64_t{0}), kBlockBytes, path);
}

void ContextLayout::add(uint64_t bytes, uint64_t block_bytes, const std::string& path) {
  FileArray array{.bytes = bytes, .block_bytes = block_bytes, .first_block = blocks_, .offset = aligned(end_)};
  if (bytes > kMostBytes || array.offset + bytes > kMostBytes)
    throw Error(ErrorCode::input, path + ": damaged: sizes beyond those of any file");
  end_ = array.offset + bytes;
  blocks_ += array.blocks();
  arrays_.push_back(array);
}

}  // namespace kvzip
