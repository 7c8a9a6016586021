#include "kvzip/eval/changed_words.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "kvzip/eval/chart.h"
#include "kvzip/eval/normalize.h"

namespace kvzip {
namespace {

constexpr size_t kMostWords = 400;

void append(std::string_view word, const char* tag, std::string& out) {
  if (!out.empty()) out += ' ';
  const std::string escaped = escape_markup(word);
  out += tag == nullptr ? escaped : "<" + std::string(tag) + ">" + escaped + "</" + tag + ">";
}

}  // namespace

std::string mark_changes(std::string_view before, std::string_view text) {
  const auto old_words = split_words(before);
  const auto new_words = split_words(text);
  if (old_words.size() > kMostWords || new_words.size() > kMostWords) return escape_markup(text);
  const size_t columns = new_words.size() + 1;
  // Longest common subsequences of the ends, so that the walk below goes forwards.
  std::vector<uint32_t> common((old_words.size() + 1) * columns, 0);
  for (size_t i = old_words.size(); i-- > 0;) {
    for (size_t j = new_words.size(); j-- > 0;) {
      common[i * columns + j] = old_words[i] == new_words[j]
                                    ? common[(i + 1) * columns + j + 1] + 1
                                    : std::max(common[(i + 1) * columns + j], common[i * columns + j + 1]);
    }
  }
  std::string out;
  size_t i = 0;
  size_t j = 0;
  while (i < old_words.size() || j < new_words.size()) {
    if (i < old_words.size() && j < new_words.size() && old_words[i] == new_words[j]) {
      append(new_words[j], nullptr, out);
      ++i;
      ++j;
    } else if (j == new_words.size() ||
               (i < old_words.size() && common[(i + 1) * columns + j] >= common[i * columns + j + 1])) {
      append(old_words[i++], "del", out);
    } else {
      append(new_words[j++], "ins", out);
    }
  }
  return out;
}

}  // namespace kvzip
