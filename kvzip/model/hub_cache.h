// The local cache of the Hugging Face hub, read only: models--ORG--NAME/{refs,snapshots}. Nothing is ever downloaded.
// Stateless.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvzip {

/// A model's full name on the hub.
struct HubId {
  std::string repository;         ///< "ORG/NAME"
  std::string revision = "main";  ///< a branch, a tag or a commit

  /// The one command that fetches it.
  std::string download_command() const;
};

/// "ORG/NAME" or "ORG/NAME@REVISION"; nothing for any other form. The parts are plain names of letters, digits, '.',
/// '_' and '-', so that they can't lead out of the cache.
std::optional<HubId> parse_hub_id(std::string_view name);

/// Where the cache is: $HF_HUB_CACHE, $HF_HOME/hub, $XDG_CACHE_HOME/huggingface/hub or ~/.cache/huggingface/hub.
std::string hub_cache_folder();

/// The folder of that model and revision in the cache; nothing where it isn't there, or without its config.json.
std::optional<std::string> find_in_hub_cache(const HubId& id);

}  // namespace kvzip
