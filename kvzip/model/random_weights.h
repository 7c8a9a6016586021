// Weights of a model without files: random matrices, ones as norms, zeros as biases. Owns one block of random values
// that all matrices are stretches of. Immutable; safe from any number of threads.
#pragma once

#include <string>
#include <vector>

#include "kvzip/model/config.h"
#include "kvzip/model/tensor_source.h"

namespace kvzip {

class RandomWeights final : public TensorSource {
 public:
  /// The same values every time.
  explicit RandomWeights(const ModelConfig& config);

  const std::string& path() const override { return path_; }
  uint64_t file_bytes() const override { return 0; }
  std::vector<TensorSize> tensor_sizes() const override { return {}; }
  bool has_tensor(std::string_view name) const override { return !shape_of(name).empty(); }
  StoredTensor tensor(std::string_view name) const override;

 private:
  /// Contiguous dimension first; empty for a tensor that the model hasn't.
  std::vector<uint64_t> shape_of(std::string_view name) const;

  std::string path_;
  size_t hidden_, queries_, keys_, head_dim_, feed_forward_, vocab_;
  std::vector<uint16_t> random_;  ///< bf16
  std::vector<float> ones_, zeros_;
};

}  // namespace kvzip
