#include "kvzip/model/hub_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestName = 96;

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

/// A name that is one step of a path and nothing else: no "..", no separator, no option of a command.
bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && name.front() != '.' && name.front() != '-' &&
         std::ranges::all_of(name, is_name_character);
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// The commit that a branch or tag stands for; empty where the file holds anything else.
std::string read_ref(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string commit(kLongestName + 1, '\0');
  file.read(commit.data(), static_cast<std::streamsize>(commit.size()));
  commit.resize(static_cast<size_t>(file.gcount()));
  while (!commit.empty() && (commit.back() == '\n' || commit.back() == '\r' || commit.back() == ' ')) commit.pop_back();
  return is_plain(commit) ? commit : "";
}

}  // namespace

std::string HubId::download_command() const {
  return revision == "main" ? fmt::format("hf download {}", repository)
                            : fmt::format("hf download {} --revision {}", repository, revision);
}

std::optional<HubId> parse_hub_id(std::string_view name) {
  HubId id;
  const size_t at = name.find('@');
  if (at != std::string_view::npos) {
    id.revision = name.substr(at + 1);
    name = name.substr(0, at);
    if (!is_plain(id.revision)) return std::nullopt;
  }
  const size_t slash = name.find('/');
  if (slash == std::string_view::npos || !is_plain(name.substr(0, slash)) || !is_plain(name.substr(slash + 1)))
    return std::nullopt;
  id.repository = name;
  return id;
}

std::string hub_cache_folder() {
  for (const char* name : {"HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"}) {
    if (const std::string given = variable(name); !given.empty()) return given;
  }
  if (const std::string home = variable("HF_HOME"); !home.empty()) return (fs::path(home) / "hub").string();
  if (const std::string cache = variable("XDG_CACHE_HOME"); !cache.empty())
    return (fs::path(cache) / "huggingface/hub").string();
  return (fs::path(variable("HOME")) / ".cache/huggingface/hub").string();
}

std::optional<std::string> find_in_hub_cache(const HubId& id) {
  std::string folder = "models--" + id.repository;
  if (const size_t slash = folder.find('/'); slash != std::string::npos) folder.replace(slash, 1, "--");
  const fs::path model = fs::path(hub_cache_folder()) / folder;
  std::error_code ignored;
  fs::path snapshot = model / "snapshots" / id.revision;
  if (!fs::is_directory(snapshot, ignored)) {
    const std::string commit = read_ref(model / "refs" / id.revision);
    if (commit.empty()) return std::nullopt;
    snapshot = model / "snapshots" / commit;
  }
  if (!fs::is_regular_file(snapshot / "config.json", ignored)) return std::nullopt;
  return snapshot.string();
}

}  // namespace kvzip
