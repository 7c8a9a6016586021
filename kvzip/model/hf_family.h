// How Hugging Face folders of one family are written, as data: names of keys and tensors, and what absent keys mean.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace kvzip {

/// A tensor by the two names it has; {} stands for the number of the layer.
struct HfTensorName {
  std::string_view ours;    ///< as GGUF files say it
  std::string_view theirs;  ///< within the text model, whose prefix varies
  bool one_less = false;    ///< stored as the difference from one
  bool transposed = false;  ///< stored as [in, out]
};

/// Keys of config.json that families name differently.
struct HfKeys {
  std::string_view layers = "num_hidden_layers";
  std::string_view hidden = "hidden_size";
  std::string_view heads = "num_attention_heads";
  std::string_view feed_forward = "intermediate_size";
  std::string_view context = "max_position_embeddings";
  std::string_view norm_eps = "rms_norm_eps";
  std::string_view activation = "hidden_act";
};

/// What the family's configuration class in transformers assumes for keys that are absent.
struct HfDefaults {
  size_t feed_forward_factor = 0;  ///< times hidden; 0: the key must be there
  size_t heads = 0;                ///< 0: the key must be there
  size_t kv_heads = 0;             ///< 0: as many as query heads
  size_t head_dim = 0;             ///< 0: hidden / heads
  size_t context = 0;              ///< 0: the key must be there
  size_t vocab = 0;                ///< 0: the key must be there
  size_t window = 4096;
  double rope_base = 10000;
  double norm_eps = 1e-6;
  double query_scalar = 0;  ///< of query_pre_attn_scalar; 0: there is no such key, logits are scaled by the head's size
  bool tied_output = false;
};

/// A flag of config.json with the one value that makes a model what the family's row says.
struct HfFlag {
  std::string_view key;
  bool needed;
  bool otherwise;  ///< what an absent key means
};

/// A string of config.json that must be this one where it is there.
struct HfSetting {
  std::string_view key;
  std::string_view needed;
};

/// Which layers slide where `layer_types` doesn't say.
enum class HfWindows : unsigned char {
  none,
  all,         ///< if there is a sliding_window
  last,        ///< from max_window_layers on, if use_sliding_window
  by_pattern,  ///< all but every sliding_window_pattern-th
};

struct HfFamily {
  std::string_view model_type;      ///< of config.json
  std::string_view architecture;    ///< the class that its weights are for
  bool any_head = false;            ///< `architecture` only begins the names of its classes, whose bodies are the same
  std::string_view wrapper_type{};  ///< of multimodal models that hold the text model's keys in text_config
  std::string_view wrapper_architecture{};
  std::span<const HfTensorName> tensors;
  HfWindows windows = HfWindows::none;
  HfKeys keys{};
  HfDefaults defaults{};
  std::span<const HfFlag> flags{};
  std::span<const HfSetting> settings{};
  bool shared_kv = false;  ///< SwiftKV: num_key_value_layers and key_value_group_size
};

}  // namespace kvzip
