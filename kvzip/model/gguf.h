// GGUF v2/v3 files (little-endian): typed metadata and tensors over a mapped file. Everything read is checked against
// the size of the file before it is used. Immutable once opened; safe from any number of threads.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/mapped_file.h"
#include "kvzip/model/tensor_source.h"

namespace kvzip {

class Gguf : public TensorSource {
 public:
  /// Opens and checks the whole header. Throws Error{input} naming the file and the field where it is truncated,
  /// corrupt or contradictory, Error{unsupported} for a version or big-endian file that we can't read. Tensors of a
  /// type that we don't know are only an error once they are asked for.
  static Gguf open(const std::string& path);
  /// The same for a file that is in memory already, which must outlive the result; `name` stands for the path in
  /// errors.
  static Gguf from_bytes(std::string name, std::span<const std::byte> bytes);

  Gguf(Gguf&&) noexcept;
  Gguf& operator=(Gguf&&) noexcept;
  ~Gguf() override;

  const std::string& path() const override;
  uint32_t version() const;
  uint64_t file_bytes() const override;

  /// Metadata by key. `find_*` gives nothing where the key is absent; both throw Error{input} where the value has
  /// another type (any integer type is accepted where the value fits). `get_*` throws where the key is absent.
  bool has(std::string_view key) const;
  std::optional<std::string_view> find_string(std::string_view key) const;
  std::optional<uint64_t> find_uint(std::string_view key) const;
  std::optional<double> find_float(std::string_view key) const;
  std::optional<bool> find_bool(std::string_view key) const;
  std::string_view get_string(std::string_view key) const;
  uint64_t get_uint(std::string_view key) const;
  double get_float(std::string_view key) const;
  /// Arrays; empty where the key is absent. Strings are views into the mapped file.
  std::vector<std::string_view> strings(std::string_view key) const;
  std::vector<int64_t> ints(std::string_view key) const;
  std::vector<double> floats(std::string_view key) const;
  /// All keys in file order.
  std::vector<std::string_view> keys() const;

  /// Names of all tensors in file order.
  std::vector<std::string_view> tensor_names() const;
  bool has_tensor(std::string_view name) const override;
  StoredTensor tensor(std::string_view name) const override;
  std::vector<TensorSize> tensor_sizes() const override;

 private:
  struct Contents;
  explicit Gguf(std::unique_ptr<Contents> contents);
  std::unique_ptr<Contents> contents_;
};

}  // namespace kvzip
