// The weights of a Hugging Face folder: model.safetensors, or the shards that model.safetensors.index.json lists. Owns
// the mappings; immutable, safe from any number of threads.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/model/hf_family.h"
#include "kvzip/model/safetensors.h"
#include "kvzip/model/tensor_source.h"

namespace kvzip {

class HfWeights : public TensorSource {
 public:
  /// Opens and checks all files. Throws Error{input} naming the file and what is wrong with it: none there, a shard
  /// that is missing or lies outside the folder, a tensor that a shard should have.
  HfWeights(std::string folder, const HfFamily& family);

  const std::string& path() const override { return folder_; }
  uint64_t file_bytes() const override;
  std::vector<TensorSize> tensor_sizes() const override;
  bool has_tensor(std::string_view name) const override;
  StoredTensor tensor(std::string_view name) const override;

 private:
  struct Located {
    const SafetensorsFile* file;
    const SafetensorsArray* array;
  };

  void open_shards(const std::string& index_path);
  void find_prefix();
  /// By the file's own name.
  const Located* find(std::string_view name) const;
  /// The file's own name of a tensor, whether it exists or not.
  std::string name_of(const HfTensorName& known, std::string_view layer) const;

  std::string folder_;
  const HfFamily* family_;
  std::vector<std::unique_ptr<SafetensorsFile>> files_;
  std::map<std::string_view, Located> tensors_;
  std::string_view prefix_;       // of the text model's own tensors
  std::string_view head_prefix_;  // of the output matrix
};

}  // namespace kvzip
