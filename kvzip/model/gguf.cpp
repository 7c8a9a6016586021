#include "kvzip/model/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_parse.h"

namespace kvzip {

struct Gguf::Contents {
  std::string path;
  std::optional<MappedFile> file;  // none where the bytes are the caller's
  std::span<const std::byte> bytes;
  GgufHeader header;

  const GgufValue* find(std::string_view key) const {
    const auto found = header.value_index.find(key);
    return found == header.value_index.end() ? nullptr : &header.values[found->second];
  }
  /// decode(path, value) of the value of `key`; nothing, or an empty vector, where the key is absent.
  template <class Result, class Decode>
  Result decoded(std::string_view key, const Decode& decode) const {
    const GgufValue* value = find(key);
    return value == nullptr ? Result{} : Result(decode(path, *value));
  }
  template <class Value>
  Value required(std::string_view key, const std::optional<Value>& value, std::string_view kind) const {
    if (!value) fail_field(path, quote(key), kind, "no such key");
    return *value;
  }
};

Gguf::Gguf(std::unique_ptr<Contents> contents) : contents_(std::move(contents)) {}
Gguf::Gguf(Gguf&&) noexcept = default;
Gguf& Gguf::operator=(Gguf&&) noexcept = default;
Gguf::~Gguf() = default;

Gguf Gguf::open(const std::string& path) {
  MappedFile file(path);
  Gguf gguf = from_bytes(path, file.bytes());
  gguf.contents_->file = std::move(file);  // the mapping stays where it is
  return gguf;
}

Gguf Gguf::from_bytes(std::string name, std::span<const std::byte> bytes) {
  auto contents = std::make_unique<Contents>();
  contents->path = std::move(name);
  contents->bytes = bytes;
  contents->header = parse_gguf(contents->path, bytes);
  return Gguf(std::move(contents));
}

const std::string& Gguf::path() const { return contents_->path; }
uint32_t Gguf::version() const { return contents_->header.version; }
uint64_t Gguf::file_bytes() const { return contents_->bytes.size(); }

bool Gguf::has(std::string_view key) const { return contents_->find(key) != nullptr; }

std::optional<std::string_view> Gguf::find_string(std::string_view key) const {
  return contents_->decoded<std::optional<std::string_view>>(key, as_string);
}
std::optional<uint64_t> Gguf::find_uint(std::string_view key) const {
  return contents_->decoded<std::optional<uint64_t>>(key, as_uint);
}
std::optional<double> Gguf::find_float(std::string_view key) const {
  return contents_->decoded<std::optional<double>>(key, as_float);
}
std::optional<bool> Gguf::find_bool(std::string_view key) const {
  return contents_->decoded<std::optional<bool>>(key, as_bool);
}

std::string_view Gguf::get_string(std::string_view key) const {
  return contents_->required(key, find_string(key), "a string");
}
uint64_t Gguf::get_uint(std::string_view key) const { return contents_->required(key, find_uint(key), "an integer"); }
double Gguf::get_float(std::string_view key) const { return contents_->required(key, find_float(key), "a float"); }

std::vector<std::string_view> Gguf::strings(std::string_view key) const {
  return contents_->decoded<std::vector<std::string_view>>(key, as_strings);
}
std::vector<int64_t> Gguf::ints(std::string_view key) const {
  return contents_->decoded<std::vector<int64_t>>(key, as_ints);
}
std::vector<double> Gguf::floats(std::string_view key) const {
  return contents_->decoded<std::vector<double>>(key, as_floats);
}

std::vector<std::string_view> Gguf::keys() const {
  std::vector<std::string_view> keys;
  std::ranges::transform(contents_->header.values, std::back_inserter(keys), &GgufValue::key);
  return keys;
}

std::vector<std::string_view> Gguf::tensor_names() const {
  std::vector<std::string_view> names;
  for (const GgufTensorEntry& entry : contents_->header.tensors) names.emplace_back(entry.tensor.name);
  return names;
}

bool Gguf::has_tensor(std::string_view name) const { return contents_->header.tensor_index.contains(name); }

StoredTensor Gguf::tensor(std::string_view name) const {
  const GgufHeader& header = contents_->header;
  const std::string field = fmt::format("tensor {}", quote(name));
  const auto found = header.tensor_index.find(name);
  if (found == header.tensor_index.end()) fail_field(path(), field, "a tensor of that name", "none");
  const GgufTensorEntry& entry = header.tensors[found->second];
  if (!entry.known) {
    fail_field(path(), field, "a type that can be decoded (f32, f16, bf16, q4_0 to q8_0, q2_k to q6_k, iq4_nl, iq4_xs)",
               fmt::format("ggml type {}", entry.type_id), ErrorCode::unsupported);
  }
  return entry.tensor;
}

std::vector<TensorSize> Gguf::tensor_sizes() const {
  std::vector<TensorSize> sizes;
  for (const GgufTensorEntry& entry : contents_->header.tensors) {
    TensorSize& size = sizes.emplace_back();
    size.type = entry.known ? std::string(dtype_name(entry.tensor.dtype)) : fmt::format("ggml type {}", entry.type_id);
    size.values = 1;
    for (const uint64_t extent : entry.tensor.shape) size.values *= extent;
    size.bytes = entry.tensor.data.size();
  }
  return sizes;
}

}  // namespace kvzip
