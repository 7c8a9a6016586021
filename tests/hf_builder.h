// Makes Hugging Face folders for tests, correct ones or wrong ones: config.json and tensors, in one file or in shards.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  file.exceptions(std::ios::badbit);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_bytes(const std::string& path, std::string_view bytes) {
  std::ofstream file(path, std::ios::binary);
  file.exceptions(std::ios::failbit | std::ios::badbit);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

struct HfTensor {
  std::string dtype;
  std::vector<uint64_t> shape;
  std::string data;
};

class HfBuilder {
 public:
  nlohmann::json config;
  std::map<std::string, HfTensor> tensors;

  /// The tiny model of that family in the golden data.
  static HfBuilder tiny(const std::string& family) {
    const std::string folder = std::string(KVZIP_SOURCE_DIR "/tests/golden/tiny/") + family + "/";
    HfBuilder builder;
    builder.config = nlohmann::json::parse(read_bytes(folder + "config.json"));
    const std::string file = read_bytes(folder + "model.safetensors");
    uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof(length));
    const auto header = nlohmann::json::parse(file.substr(sizeof(length), length));
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") continue;
      const uint64_t begin = entry["data_offsets"][0];
      const uint64_t end = entry["data_offsets"][1];
      builder.tensors[name] = {entry["dtype"], entry["shape"],
                               file.substr(sizeof(length) + length + begin, end - begin)};
    }
    return builder;
  }

  /// A safetensors file of those tensors whose number modulo `shards` is `shard`; `padding` bytes of another tensor
  /// come first, which moves the data of all others.
  std::string file(size_t shard = 0, size_t shards = 1, size_t padding = 0) const {
    nlohmann::json header = {{"__metadata__", {{"format", "pt"}}}};
    std::string data(padding, '\0');
    if (padding > 0) header["a"] = entry("U8", {padding}, 0, padding);
    size_t index = 0;
    for (const auto& [name, tensor] : tensors) {
      if (index++ % shards != shard) continue;
      header[name] = entry(tensor.dtype, tensor.shape, data.size(), data.size() + tensor.data.size());
      data += tensor.data;
    }
    std::string text = header.dump();
    text.resize((text.size() + 7) / 8 * 8, ' ');  // as the format's own writer aligns the data
    std::string bytes(sizeof(uint64_t), '\0');
    const uint64_t length = text.size();
    std::memcpy(bytes.data(), &length, sizeof(length));
    return bytes + text + data;
  }

  /// config.json and model.safetensors.
  void write(const std::string& folder, size_t padding = 0) const {
    write_bytes(folder + "/config.json", config.dump());
    write_bytes(folder + "/model.safetensors", file(0, 1, padding));
  }

  static std::string shard_name(size_t shard, size_t shards) {
    return "model-" + std::to_string(shard + 1) + "-of-" + std::to_string(shards) + ".safetensors";
  }
  nlohmann::json index(size_t shards) const {
    nlohmann::json map;
    size_t number = 0;
    for (const auto& [name, tensor] : tensors) map[name] = shard_name(number++ % shards, shards);
    return {{"metadata", {{"total_size", 1}}}, {"weight_map", map}};
  }
  void write_sharded(const std::string& folder, size_t shards) const {
    write_bytes(folder + "/config.json", config.dump());
    write_bytes(folder + "/model.safetensors.index.json", index(shards).dump());
    for (size_t shard = 0; shard < shards; ++shard)
      write_bytes(folder + "/" + shard_name(shard, shards), file(shard, shards));
  }

  /// All f32 tensors cut to their upper halves, which is bf16.
  void to_bf16() {
    for (auto& [name, tensor] : tensors) {
      std::string halves;
      for (size_t i = 0; i < tensor.data.size(); i += 4) halves += tensor.data.substr(i + 2, 2);
      tensor = {"BF16", tensor.shape, halves};
    }
  }
  /// All f32 tensors without their lower halves, as f32.
  void round_to_bf16() {
    for (auto& [name, tensor] : tensors) {
      for (size_t i = 0; i < tensor.data.size(); i += 4) tensor.data[i] = tensor.data[i + 1] = '\0';
    }
  }

  /// All f32 tensors as f16: what is too small for a normal one becomes 0. Without loss for values of round_to_bf16()
  /// whose sizes f16 has.
  void to_f16() {
    for (auto& [name, tensor] : tensors) {
      std::string halves;
      for (size_t i = 0; i < tensor.data.size(); i += 4) {
        uint32_t bits = 0;
        std::memcpy(&bits, tensor.data.data() + i, sizeof(bits));
        const uint32_t exponent = (bits >> 23U) & 0xFFU;
        const uint32_t size = exponent < 113 ? 0 : ((exponent - 112) << 10U) | ((bits >> 13U) & 0x3FFU);
        const auto half = static_cast<uint16_t>((bits >> 31U) << 15U | size);
        halves.append(reinterpret_cast<const char*>(&half), sizeof(half));
      }
      tensor = {"F16", tensor.shape, halves};
    }
  }

  void rename(const std::string& from, const std::string& to) {
    auto node = tensors.extract(from);
    node.key() = to;
    tensors.insert(std::move(node));
  }

 private:
  static nlohmann::json entry(const std::string& dtype, const std::vector<uint64_t>& shape, size_t begin, size_t end) {
    return {{"dtype", dtype}, {"shape", shape}, {"data_offsets", {begin, end}}};
  }
};

}  // namespace kvzip
