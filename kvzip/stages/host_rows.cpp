#include "kvzip/stages/host_rows.h"

namespace kvzip {

void fetch(Backend& backend, const ConstView& view, float* to) {
  const Tensor converted(backend, DType::f32, view.rows, view.cols);
  backend.convert(view, converted.view());
  backend.download(to, converted.view().data, view.rows * view.cols * sizeof(float));
}

const LayerRows& HostRows::of(size_t kv_layer) {
  if (kv_layer == held_) return rows_;
  const CacheShape& shape = tail_->shape();
  const Segment segment = tail_->segment(kv_layer);
  const size_t len = segment.heads.front().len;
  keys_.resize(shape.kv_heads * len * shape.head_dim);
  values_.resize(keys_.size());
  for (size_t head = 0; head < shape.kv_heads; ++head) {
    const auto view = [&](const void* data) {
      return ConstView{data, segment.dtype, len, shape.head_dim, shape.head_row_bytes()};
    };
    fetch(*backend_, view(segment.heads[head].k), keys_.data() + head * len * shape.head_dim);
    fetch(*backend_, view(segment.heads[head].v), values_.data() + head * len * shape.head_dim);
  }
  rows_ = {shape.kv_heads, len, shape.head_dim, keys_, values_};
  held_ = kv_layer;
  return rows_;
}

}  // namespace kvzip
