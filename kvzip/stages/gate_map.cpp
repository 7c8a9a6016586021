#include "kvzip/stages/gate_map.h"

namespace kvzip {
namespace {

/// f32 values as the device multiplies by them.
Tensor on_device(Backend& backend, DType type, const std::vector<float>& values, size_t rows, size_t cols) {
  Tensor plain(backend, DType::f32, rows, cols);
  backend.upload(plain.view().data, values.data(), values.size() * sizeof(float));
  if (type == DType::f32) return plain;
  Tensor converted(backend, type, rows, cols);
  backend.convert(plain.view(), converted.view());
  return converted;
}

}  // namespace

View room_for(Tensor& tensor, Backend& backend, DType dtype, size_t rows, size_t cols) {
  const View view = tensor.view();
  if (view.dtype != dtype || view.cols != cols || view.rows < rows) tensor = Tensor(backend, dtype, rows, cols);
  return tensor.view(rows);
}

DeviceProduct::DeviceProduct(Backend& backend, const GateProduct& product)
    : weights_(on_device(backend, backend.weight_type(DType::f32), product.weights, product.out, product.in)) {
  if (!product.bias.empty()) bias_ = on_device(backend, DType::f32, product.bias, 1, product.out);
}

LinearPart DeviceProduct::part(const View& out) const {
  return {weights_.view(), static_cast<const float*>(bias_.view().data), out, false};
}

}  // namespace kvzip
