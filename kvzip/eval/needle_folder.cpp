// A needle in texts of one's own (see published.h).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "kvzip/base/error.h"
#include "kvzip/eval/published.h"
#include "kvzip/text/utf8.h"

namespace kvzip {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNeedle =
    "\nThe best thing to do in San Francisco is eat a sandwich and sit in Dolores Park on a sunny day.\n";
constexpr std::string_view kQuestion = "Based on the content of the book, the best thing to do in San Francisco is: ";
constexpr std::string_view kAnswer = "Eat a sandwich and sit in Dolores Park on a sunny day.";
constexpr std::array<size_t, 3> kLengths = {500, 2000, 8000};
constexpr size_t kPlaces = 11;
constexpr size_t kMostBytes = size_t{64} << 20U;  // more than the longest document needs

std::string all_texts(const std::string& folder) {
  std::vector<std::string> files;
  std::error_code failure;
  for (auto it = fs::directory_iterator(folder, failure); !failure && it != fs::end(it); it.increment(failure)) {
    if (it->path().extension() == ".txt") files.push_back(it->path().string());
  }
  if (failure) throw Error(ErrorCode::input, fmt::format("{}: {}", folder, failure.message()));
  std::sort(files.begin(), files.end());
  std::string text;
  for (const std::string& file : files) {
    if (text.size() < kMostBytes) text += read_text_file(file);
  }
  if (text.empty()) throw Error(ErrorCode::input, fmt::format("{}: expected .txt files with text, found none", folder));
  return text;
}

/// The longest start of `text` that has at most `tokens` tokens, by halving; whole characters.
std::string_view start_of(std::string_view text, size_t tokens, const CountTokens& count) {
  // No tokenizer of ours puts more than 32 bytes of running text into a token on average.
  text = text.substr(0, std::min(text.size(), tokens * 32));
  size_t fits = 0;
  size_t beyond = text.size() + 1;
  while (beyond - fits > 1) {
    const size_t middle = fits + (beyond - fits) / 2;
    (count(text.substr(0, middle)) <= tokens ? fits : beyond) = middle;
  }
  return text.substr(0, valid_utf8_length(text.substr(0, fits)));
}

}  // namespace

std::vector<EvalDocument> read_needle_folder(const std::string& folder, const CountTokens& count) {
  const std::string text = all_texts(folder);
  const size_t needle = count(kNeedle);
  std::vector<EvalDocument> documents;
  for (const size_t length : kLengths) {
    const std::string_view hay = start_of(text, length - needle, count);
    if (hay.size() == text.size() && count(hay) + needle < length * 9 / 10) break;  // longer ones would be the same
    for (size_t step = 0; step < kPlaces; ++step) {
      const double depth = static_cast<double>(step) / (kPlaces - 1);
      size_t place = step + 1 == kPlaces ? hay.size() : hay.size() * step / (kPlaces - 1);
      if (step + 1 < kPlaces) {
        // Back to the end of a sentence, as far as the beginning.
        const size_t stop = place == 0 ? std::string_view::npos : hay.rfind('.', place - 1);
        place = stop == std::string_view::npos ? 0 : stop + 1;
      }
      documents.push_back({std::string(hay.substr(0, place)) + std::string(kNeedle) + std::string(hay.substr(place)),
                           {{std::string(kQuestion), std::string(kAnswer), Metric::include}},
                           depth,
                           length});
    }
  }
  if (documents.empty())
    throw Error(ErrorCode::input, fmt::format("{}: expected texts of at least 450 tokens, found fewer", folder));
  return documents;
}

}  // namespace kvzip
