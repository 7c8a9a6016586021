#include "kvzip/cli/agreement.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <string>
#include <vector>

namespace kvzip::cli {
namespace {

struct Words {
  std::multiset<std::string> all;  // in lower case
  std::set<std::string> facts;     // names and numbers
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
/// Bytes of other scripts count as letters.
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z') || static_cast<unsigned char>(c) >= 0x80; }

Words words_of(std::string_view text) {
  Words words;
  bool starts_sentence = true;
  for (size_t i = 0; i < text.size();) {
    if (!is_digit(text[i]) && !is_letter(text[i])) {
      starts_sentence = starts_sentence || text[i] == '.' || text[i] == '!' || text[i] == '?' || text[i] == '\n';
      ++i;
      continue;
    }
    const size_t begin = i;
    while (i < text.size() && (is_digit(text[i]) || is_letter(text[i]))) ++i;
    std::string word(text.substr(begin, i - begin));
    const bool number = std::any_of(word.begin(), word.end(), is_digit);
    const bool name = !starts_sentence && is_upper(word.front());
    std::transform(word.begin(), word.end(), word.begin(),
                   [](char c) { return is_upper(c) ? static_cast<char>(c - 'A' + 'a') : c; });
    if (number || name) words.facts.insert(word);
    words.all.insert(std::move(word));
    starts_sentence = false;
  }
  return words;
}

std::string_view stripped(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  return first == std::string_view::npos ? "" : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

}  // namespace

Agreement compare_answers(std::string_view a, std::string_view b) {
  if (stripped(a) == stripped(b)) return Agreement::same;
  const Words left = words_of(a);
  const Words right = words_of(b);
  if (left.facts.empty() || left.facts != right.facts) return Agreement::differs;
  std::vector<std::string> common;
  std::set_intersection(left.all.begin(), left.all.end(), right.all.begin(), right.all.end(),
                        std::back_inserter(common));
  // Twice the common words over all words: the F1 score.
  return 4 * common.size() >= left.all.size() + right.all.size() ? Agreement::reworded : Agreement::differs;
}

std::string_view agreement_name(Agreement agreement) {
  switch (agreement) {
    case Agreement::same:
      return "same";
    case Agreement::reworded:
      return "reworded";
    case Agreement::differs:
      return "differs";
  }
  return "";
}

}  // namespace kvzip::cli
