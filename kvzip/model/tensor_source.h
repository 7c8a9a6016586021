// Where a model's weights come from: the files of one model, seen as named tensors. Owns the mapping that their data
// point into. Immutable; safe from any number of threads.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/tensor/dtype.h"

namespace kvzip {

/// A tensor as its file has it. Only whoever made the file knows how `data` is aligned.
struct StoredTensor {
  std::string name;  ///< as the file calls it
  DType dtype = DType::f32;
  std::vector<uint64_t> shape;  ///< the contiguous dimension first (the input of a linear layer), as GGUF has it
  std::span<const std::byte> data;
  bool transposed = false;  ///< of what `shape` says, as GPT-2's Hugging Face files have linear layers
  bool one_less = false;    ///< stored as the difference from one, as Gemma's Hugging Face files do with norms
};

/// What a file says of a tensor's size, whether it can be read or not.
struct TensorSize {
  std::string type;  ///< "q4_1", "bf16"
  uint64_t values = 0;
  uint64_t bytes = 0;
};

class TensorSource {
 public:
  virtual ~TensorSource() = default;

  /// The file or folder, for people.
  virtual const std::string& path() const = 0;
  /// Of all files with weights.
  virtual uint64_t file_bytes() const = 0;
  /// Of all tensors, those that no model reads among them.
  virtual std::vector<TensorSize> tensor_sizes() const = 0;

  /// Tensors by the names that GGUF files of the family give them ("blk.0.attn_q.weight").
  virtual bool has_tensor(std::string_view name) const = 0;
  /// Throws Error{input} where it is absent, Error{unsupported} where its type is not one of ours.
  virtual StoredTensor tensor(std::string_view name) const = 0;
};

}  // namespace kvzip
