// Makes GGUF files in memory for tests, correct ones or wrong ones. Written from the format's description, not from the
// reader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

class GgufBuilder {
 public:
  // What the file claims; a test may claim something else.
  std::string magic = "GGUF";
  uint32_t version = 3;
  uint64_t extra_values = 0;   ///< added to the number of metadata entries
  uint64_t extra_tensors = 0;  ///< added to the number of tensors
  uint64_t alignment = 32;     ///< used for the layout; state it with number("general.alignment", 4, uint32_t)

  /// A plain number of the value type with that id.
  template <class Number>
  GgufBuilder& number(std::string_view key, uint32_t type, Number value) {
    begin_value(key, type);
    put(values_, value);
    return *this;
  }
  GgufBuilder& string(std::string_view key, std::string_view text) {
    begin_value(key, kString);
    put_string(values_, text);
    return *this;
  }
  template <class Number>
  GgufBuilder& numbers(std::string_view key, uint32_t element_type, const std::vector<Number>& elements) {
    begin_array(key, element_type, elements.size());
    for (const Number element : elements) put(values_, element);
    return *this;
  }
  GgufBuilder& strings(std::string_view key, const std::vector<std::string>& elements) {
    begin_array(key, kString, elements.size());
    for (const std::string& element : elements) put_string(values_, element);
    return *this;
  }
  /// The head of an array that may hold something else, or nothing.
  GgufBuilder& begin_array(std::string_view key, uint32_t element_type, uint64_t count) {
    begin_value(key, kArray);
    put(values_, element_type);
    put(values_, count);
    return *this;
  }

  /// A tensor with its data, laid out after the one before.
  GgufBuilder& tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type, std::string_view data) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    describe_tensor(name, shape, type, data_.size());
    data_ += data;
    return *this;
  }
  /// Only the description of a tensor.
  GgufBuilder& describe_tensor(std::string_view name, const std::vector<uint64_t>& shape, uint32_t type,
                               uint64_t offset) {
    put_string(tensors_, name);
    put(tensors_, static_cast<uint32_t>(shape.size()));
    for (const uint64_t extent : shape) put(tensors_, extent);
    put(tensors_, type);
    put(tensors_, offset);
    ++tensor_count_;
    return *this;
  }

  std::string build() const {
    std::string file = magic;
    put(file, version);
    put(file, tensor_count_ + extra_tensors);
    put(file, value_count_ + extra_values);
    file += values_ + tensors_;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }
  void write(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    file.exceptions(std::ios::failbit | std::ios::badbit);
    const std::string bytes = build();
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

 private:
  static constexpr uint32_t kString = 8;
  static constexpr uint32_t kArray = 9;

  template <class Number>
  static void put(std::string& out, Number value) {
    char bytes[sizeof(value)];
    std::memcpy(bytes, &value, sizeof(value));
    out.append(bytes, sizeof(value));
  }
  static void put_string(std::string& out, std::string_view text) {
    put(out, static_cast<uint64_t>(text.size()));
    out += text;
  }
  void begin_value(std::string_view key, uint32_t type) {
    put_string(values_, key);
    put(values_, type);
    ++value_count_;
  }

  std::string values_;
  std::string tensors_;
  std::string data_;
  uint64_t value_count_ = 0;
  uint64_t tensor_count_ = 0;
};

}  // namespace kvzip
