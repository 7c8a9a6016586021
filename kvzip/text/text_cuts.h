// Where a text can be cut so that encoding the parts gives the ids of the whole, and encoding parts on several threads.
// Stateless.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <string_view>
#include <vector>

#include "kvzip/base/parallel.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

/// The first place at or behind `from` where every split pattern of GPT-2's kind has the end of a word, whatever stands
/// before and after: between a letter of ASCII and a space, or behind a line feed between two characters that are no
/// space. Such a pattern joins a space only to what follows it and a line feed only to what precedes it, and looks
/// ahead only from spaces. The end of the text where there is none.
size_t find_word_cut(std::string_view text, size_t from);

/// The first of these places that is between a letter and a space.
size_t find_space_cut(std::string_view text, size_t from);

/// Where words bear a cut.
enum class TextCuts : uint8_t {
  none,
  at_spaces,  ///< at every find_space_cut()
  at_words,   ///< at every find_word_cut()
};

/// The first of them at or behind `from`; the end of the text where there is none.
size_t find_cut(std::string_view text, size_t from, TextCuts cuts);

/// The text in parts of at least `part_bytes` bytes each, but for the last; at least one. find_cut(text, from) gives
/// the first place where it can be cut at or behind `from`, or its end.
template <class FindCut>
std::vector<std::string_view> cut_text(std::string_view text, size_t part_bytes, const FindCut& find_cut) {
  std::vector<std::string_view> parts;
  while (text.size() > part_bytes) {
    const size_t cut = find_cut(text, std::max<size_t>(part_bytes, 1));
    if (cut == text.size()) break;
    parts.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  parts.push_back(text);
  return parts;
}

/// How long parts should be for encode_parts(): long enough for a word cache to pay, and enough of them to keep all
/// threads busy to the end. The whole text where there is one thread.
size_t encode_part_bytes(size_t text_bytes);

/// Calls encode_part(part, ids) for parts 0 to `parts` - 1, on all threads, and returns all ids in the order of the
/// parts. Throws what the first part that fails throws.
template <class EncodePart>
std::vector<TokenId> encode_parts(size_t parts, const EncodePart& encode_part) {
  std::vector<std::vector<TokenId>> ids(parts);
  std::vector<std::exception_ptr> failures(parts);
  std::atomic<size_t> next{0};
  parallel_run(std::min(parts, thread_count()), [&](size_t) {
    for (size_t part = next++; part < parts; part = next++) {
      try {
        encode_part(part, ids[part]);
      } catch (...) {
        failures[part] = std::current_exception();
      }
    }
  });
  if (parts == 1 && !failures[0]) return std::move(ids[0]);
  size_t count = 0;
  for (size_t part = 0; part < parts; ++part) {
    if (failures[part]) std::rethrow_exception(failures[part]);
    count += ids[part].size();
  }
  std::vector<TokenId> all;
  all.reserve(count);
  for (std::vector<TokenId>& part : ids) {
    all.insert(all.end(), part.begin(), part.end());
    part = {};
  }
  return all;
}

}  // namespace kvzip
