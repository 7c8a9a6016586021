#include "kvzip/model/hf_weights.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "kvzip/base/json.h"
#include "kvzip/base/json_fields.h"
#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_reader.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSingle = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr JsonLimits kIndexLimits{.bytes = size_t{64} << 20U, .depth = 8};
constexpr size_t kMaxShards = 4096;

/// What stands before the names of a text model's tensors, and before that of its output matrix, in the folders there
/// are: the model by itself, without its head, or inside a multimodal one of older and of newer transformers.
struct Prefix {
  std::string_view body;
  std::string_view head;
};
constexpr std::array<Prefix, 6> kPrefixes = {{{"model.", ""},
                                              {"", ""},
                                              {"language_model.model.", "language_model."},
                                              {"model.language_model.", ""},
                                              {"transformer.", ""},
                                              {"bert.", ""}}};

constexpr std::string_view kEmbedding = "token_embd.weight";
constexpr std::string_view kOutput = "output.weight";

std::optional<DType> dtype_of(std::string_view name) {
  if (name == "F32") return DType::f32;
  if (name == "F16") return DType::f16;
  if (name == "BF16") return DType::bf16;
  return std::nullopt;
}

/// Ends of names that were others in the first years of BERT.
struct Renamed {
  std::string_view now;
  std::string_view before;
};
constexpr std::array<Renamed, 2> kRenamed = {
    {{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}}};

const HfTensorName* find_known(const HfFamily& family, std::string_view ours) {
  const auto found = std::ranges::find(family.tensors, ours, &HfTensorName::ours);
  return found == family.tensors.end() ? nullptr : &*found;
}

std::string with_layer(std::string_view pattern, std::string_view layer) {
  const size_t at = pattern.find("{}");
  if (at == std::string_view::npos) return std::string(pattern);
  return fmt::format("{}{}{}", pattern.substr(0, at), layer, pattern.substr(at + 2));
}

/// "blk.12.attn_q.weight" as its pattern and the layer; names without a layer are their own pattern.
std::pair<std::string, std::string_view> split_layer(std::string_view name) {
  constexpr std::string_view kBlock = "blk.";
  const size_t end = name.starts_with(kBlock) ? name.find('.', kBlock.size()) : std::string_view::npos;
  if (end == std::string_view::npos) return {std::string(name), {}};
  return {fmt::format("{}{{}}{}", kBlock, name.substr(end)), name.substr(kBlock.size(), end - kBlock.size())};
}

/// A name that can only mean a file in the folder itself.
bool is_plain_name(std::string_view name) {
  return !name.empty() && name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos &&
         name != "." && name != "..";
}

}  // namespace

HfWeights::HfWeights(std::string folder, const HfFamily& family) : folder_(std::move(folder)), family_(&family) {
  std::error_code ignored;
  const std::string single = (fs::path(folder_) / kSingle).string();
  const std::string index = (fs::path(folder_) / kIndex).string();
  if (fs::exists(single, ignored)) {
    files_.push_back(std::make_unique<SafetensorsFile>(read_safetensors(single)));
    for (const auto& [name, array] : files_.back()->arrays)
      tensors_.emplace(name, Located{files_.back().get(), &array});
  } else if (fs::exists(index, ignored)) {
    open_shards(index);
  } else {
    throw Error(ErrorCode::input, fmt::format("{}: expected {} or {}, found neither", folder_, kSingle, kIndex));
  }
  find_prefix();
}

void HfWeights::open_shards(const std::string& index_path) {
  const nlohmann::json document = read_json(index_path, kIndexLimits);
  const JsonFields top(index_path, document);
  const auto map = top.find_object("weight_map");
  if (!map || document["weight_map"].empty()) top.fail("weight_map", "an object of tensors and their files");
  std::map<std::string, const SafetensorsFile*, std::less<>> shards;
  for (const auto& [name, file] : document["weight_map"].items()) {
    const std::string field = fmt::format("weight_map of {}", quote(name));
    if (!file.is_string() || !is_plain_name(file.get_ref<const std::string&>()))
      fail_field(index_path, field, "the name of a file in the same folder", quote(file.dump()));
    const auto& shard = file.get_ref<const std::string&>();
    auto opened = shards.find(shard);
    if (opened == shards.end()) {
      if (shards.size() == kMaxShards)
        fail_field(index_path, field, fmt::format("at most {} files", kMaxShards), "more");
      files_.push_back(std::make_unique<SafetensorsFile>(read_safetensors((fs::path(folder_) / shard).string())));
      opened = shards.emplace(shard, files_.back().get()).first;
    }
    const auto array = opened->second->arrays.find(name);
    if (array == opened->second->arrays.end())
      fail_field(index_path, field, fmt::format("a tensor of that name in {}", quote(shard)), "none");
    tensors_.emplace(array->first, Located{opened->second, &array->second});
  }
}

void HfWeights::find_prefix() {
  const HfTensorName* embedding = find_known(*family_, kEmbedding);
  const auto holds_it = [&](const Prefix& prefix) {
    return embedding != nullptr && find(fmt::format("{}{}", prefix.body, embedding->theirs)) != nullptr;
  };
  const auto* const found = std::ranges::find_if(kPrefixes, holds_it);
  const Prefix& prefix = found == kPrefixes.end() ? kPrefixes.front() : *found;
  prefix_ = prefix.body;
  head_prefix_ = prefix.head;
}

uint64_t HfWeights::file_bytes() const {
  uint64_t bytes = 0;
  for (const auto& file : files_) bytes += file->file.bytes().size();
  return bytes;
}

std::vector<TensorSize> HfWeights::tensor_sizes() const {
  std::vector<TensorSize> sizes;
  for (const auto& [name, located] : tensors_) {
    TensorSize& size = sizes.emplace_back();
    const auto dtype = dtype_of(located.array->dtype);
    size.type = dtype ? std::string(dtype_name(*dtype)) : quote(located.array->dtype, 16);
    size.values = 1;
    for (const uint64_t extent : located.array->shape) size.values *= extent;
    size.bytes = located.array->data.size();
  }
  return sizes;
}

const HfWeights::Located* HfWeights::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found != tensors_.end()) return &found->second;
  for (const Renamed& end : kRenamed) {
    if (!name.ends_with(end.now)) continue;
    const auto older = tensors_.find(fmt::format("{}{}", name.substr(0, name.size() - end.now.size()), end.before));
    if (older != tensors_.end()) return &older->second;
  }
  return nullptr;
}

std::string HfWeights::name_of(const HfTensorName& known, std::string_view layer) const {
  return fmt::format("{}{}", known.ours == kOutput ? head_prefix_ : prefix_, with_layer(known.theirs, layer));
}

bool HfWeights::has_tensor(std::string_view name) const {
  const auto [pattern, layer] = split_layer(name);
  const HfTensorName* known = find_known(*family_, pattern);
  return known != nullptr && find(name_of(*known, layer)) != nullptr;
}

StoredTensor HfWeights::tensor(std::string_view name) const {
  const auto [pattern, layer] = split_layer(name);
  const HfTensorName* known = find_known(*family_, pattern);
  if (known == nullptr) fail_field(folder_, quote(name), fmt::format("a tensor of {}", family_->model_type), "none");
  const std::string theirs = name_of(*known, layer);
  const Located* located = find(theirs);
  const std::string field = fmt::format("tensor {}", quote(theirs));
  if (located == nullptr) fail_field(folder_, field, "a tensor of that name", "none");
  const auto dtype = dtype_of(located->array->dtype);
  if (!dtype) {
    fail_field(located->file->file.path(), field, "dtype F32, F16 or BF16", quote(located->array->dtype),
               ErrorCode::unsupported);
  }
  StoredTensor tensor{theirs, *dtype, located->array->shape, located->array->data, known->transposed, known->one_less};
  if (!known->transposed) std::ranges::reverse(tensor.shape);
  return tensor;
}

}  // namespace kvzip
