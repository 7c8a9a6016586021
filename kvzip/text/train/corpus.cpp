#include "kvzip/text/train/corpus.h"

#include <fmt/format.h>

#include <atomic>
#include <exception>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/text/utf8.h"

namespace kvzip {
namespace {

constexpr size_t kChunkBytes = size_t{1} << 20U;
constexpr size_t kLongestLine = size_t{1} << 30U;  // what a tokenizer takes as one text

/// Whole lines of one text.
struct Chunk {
  const TrainingText* text = nullptr;
  size_t begin = 0;
  size_t end = 0;
};

/// Hands out the corpus piece by piece, and remembers what went wrong first in reading order, so that the same error is
/// reported for any number of threads.
class Chunks {
 public:
  explicit Chunks(std::span<const TrainingText> texts) : texts_(texts) {
    for (const TrainingText& each : texts) total_ += each.text.size();
  }

  std::optional<Chunk> next() {
    const std::lock_guard lock(mutex_);
    while (text_ < texts_.size() && at_ == texts_[text_].text.size()) {
      ++text_;
      at_ = 0;
    }
    if (text_ == texts_.size() || error_ || stopped_) return std::nullopt;
    const std::string_view text = texts_[text_].text;
    size_t end = std::min(text.size(), at_ + kChunkBytes);
    if (end < text.size()) end = std::min(text.size(), text.find('\n', end - 1) + size_t{1});
    if (end == 0) end = text.size();  // npos + 1: no further line feed
    const Chunk chunk{&texts_[text_], at_, end};
    at_ = end;
    return chunk;
  }

  void finished(const Chunk& chunk) { done_ += chunk.end - chunk.begin; }
  void failed(const Chunk& chunk, std::exception_ptr error) {
    const std::lock_guard lock(mutex_);
    const std::pair<const TrainingText*, size_t> place{chunk.text, chunk.begin};
    if (!error_ || place < place_) {
      error_ = std::move(error);
      place_ = place;
    }
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
  }

  size_t done() const { return done_; }
  size_t total() const { return total_; }
  const std::exception_ptr& error() const { return error_; }

 private:
  std::span<const TrainingText> texts_;
  std::mutex mutex_;
  size_t text_ = 0;
  size_t at_ = 0;
  size_t total_ = 0;
  bool stopped_ = false;
  std::atomic<size_t> done_{0};
  std::exception_ptr error_;
  std::pair<const TrainingText*, size_t> place_;
};

void count_chunk(const Chunk& chunk, const WordSplitter& split, WordCounts& counts) {
  const std::string_view text = chunk.text->text.substr(chunk.begin, chunk.end - chunk.begin);
  const size_t valid = valid_utf8_length(text);
  if (valid < text.size()) {
    throw Error(ErrorCode::input,
                fmt::format("{}: expected UTF-8 text, found the byte 0x{:02x} at offset {}", chunk.text->name,
                            static_cast<uint8_t>(text[valid]), chunk.begin + valid));
  }
  const std::function<void(std::string_view)> visit = [&](std::string_view word) { counts.add(word); };
  for (size_t begin = 0; begin < text.size();) {
    const size_t feed = text.find('\n', begin);
    const size_t end = feed == std::string_view::npos ? text.size() : feed + 1;
    if (end - begin > kLongestLine) {
      throw Error(ErrorCode::input, fmt::format("{}: expected lines of at most 1 GiB, found a longer one at offset {}",
                                                chunk.text->name, chunk.begin + begin));
    }
    split(text.substr(begin, end - begin), visit);
    begin = end;
  }
}

}  // namespace

WordCounts count_words(std::span<const TrainingText> texts, const WordSplitter& split, const ProgressFn& progress) {
  Chunks chunks(texts);
  const auto state = [&] { return Progress{"counting", chunks.done(), chunks.total()}; };
  std::vector<WordCounts> counts(thread_count());
  report(progress, state());
  std::exception_ptr cancelled;  // written by the calling thread only
  parallel_run(counts.size(), [&](size_t thread) {
    while (const std::optional<Chunk> chunk = chunks.next()) {
      try {
        count_chunk(*chunk, split, counts[thread]);
      } catch (...) {
        chunks.failed(*chunk, std::current_exception());
        return;
      }
      chunks.finished(*chunk);
      try {
        // The end is reported once, below.
        if (thread == 0 && chunks.done() < chunks.total()) report(progress, state());
      } catch (...) {
        cancelled = std::current_exception();
        chunks.stop();
      }
    }
  });
  if (cancelled) std::rethrow_exception(cancelled);
  if (chunks.error()) std::rethrow_exception(chunks.error());
  for (size_t i = 1; i < counts.size(); ++i) counts[0].add_all(std::exchange(counts[i], {}));
  report(progress, state());
  return std::move(counts[0]);
}

}  // namespace kvzip
