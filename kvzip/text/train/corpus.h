// Reads the words of a corpus line by line, with all threads.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "kvzip/base/progress.h"
#include "kvzip/text/train/word_counts.h"

namespace kvzip {

/// A text to train on; `name` stands for it in errors. Views memory of the caller.
struct TrainingText {
  std::string name;
  std::string_view text;
};

/// Calls visit(word) for each word of one line, which is valid UTF-8 and includes its line feed. Must be safe from any
/// number of threads.
using WordSplitter =
    std::function<void(std::string_view line, const std::function<void(std::string_view word)>& visit)>;

/// Counts the words of all lines. Lines are split one by one, so that no word crosses a line feed and the result
/// doesn't depend on the number of threads. Throws Error{input} that names the text and the byte where it is no UTF-8.
/// Progress counts bytes, in the stage "counting".
WordCounts count_words(std::span<const TrainingText> texts, const WordSplitter& split, const ProgressFn& progress);

}  // namespace kvzip
