// Texts with the ids and the decoded text that another library gives, made by a Python script at the time of the test.
// For tests that compare tokenizers; one thread.
#pragma once

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/tokenizer.h"
#include "kvzip/text/utf8.h"
#include "tests/test_paths.h"

namespace kvzip {

struct TokenizerCase {
  std::optional<std::string> text;  ///< none: only the way back is compared
  std::vector<TokenId> ids;
  std::string decoded;
};

/// Runs tests/tokenizers/SCRIPT.py, which puts its files into `folder`.
inline void make_tokenizer_cases(const std::string& script, const std::string& folder) {
  const std::string command =
      python_path() + " '" KVZIP_SOURCE_DIR "/tests/tokenizers/" + script + ".py' '" + folder + "'";
  if (std::system(command.c_str()) != 0)
    throw std::runtime_error("failed: " + command);  // NOLINT(concurrency-mt-unsafe)
}

inline std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    uint8_t byte = 0;
    std::from_chars(hex.data() + i, hex.data() + i + 2, byte, 16);
    bytes += static_cast<char>(byte);
  }
  return bytes;
}

/// Lines of three columns: the text or "-", the ids, the decoded text; texts in hexadecimal.
inline std::vector<TokenizerCase> read_tokenizer_cases(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw std::runtime_error("can't read " + path);
  std::vector<TokenizerCase> cases;
  for (std::string line; std::getline(file, line);) {
    std::stringstream columns(line);
    std::string text;
    std::string ids;
    std::string decoded;
    std::getline(columns, text, '\t');
    std::getline(columns, ids, '\t');
    std::getline(columns, decoded, '\t');
    TokenizerCase& one = cases.emplace_back();
    if (text != "-") one.text = from_hex(text);
    std::stringstream numbers(ids);
    for (TokenId id = 0; numbers >> id;) one.ids.push_back(id);
    one.decoded = from_hex(decoded);
  }
  return cases;
}

/// How libraries that return strings show bytes that are no UTF-8: one U+FFFD for each byte, or (`whole_starts`) for
/// each start of a character that was broken off.
inline std::string with_replacements(std::string_view bytes, bool whole_starts) {
  std::string out;
  while (!bytes.empty()) {
    const Utf8Step step = utf8_step(bytes);
    const bool valid = step.kind == Utf8Step::Kind::character;
    const size_t length = valid || whole_starts ? step.length : 1;
    out += valid ? bytes.substr(0, length) : "\uFFFD";
    bytes.remove_prefix(length);
  }
  return out;
}

}  // namespace kvzip
