#include "kvzip/cli/splitting.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <unordered_set>

#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/training_flags.h"
#include "kvzip/text/pipeline/tokenizer_json.h"
#include "kvzip/text/train/tokenizer_training.h"
#include "kvzip/text/train/word_counts.h"
#include "kvzip/text/unicode/segmentation.h"
#include "kvzip/text/utf8.h"

namespace kvzip::cli {
namespace {

constexpr size_t kFrequent = 8;
constexpr size_t kBeginningBytes = 1000;  // more than is shown
constexpr size_t kLearntVocabulary = 2000;
constexpr std::string_view kUnknownPiece = "\uFFFD";

struct Kind {
  std::string name;
  std::string rule;
};

const std::vector<Kind>& kinds() {
  static const std::vector<Kind> kKinds = {
      {"whitespace", "cut at spaces and line ends; simple, but `end` and `end.` are two different pieces"},
      {"word", "words and marks of punctuation by the rules of Unicode; every name and typo is a new piece"},
      {"character", "what a reader takes for one character; few different pieces, but long sequences"},
      {"sentence", "sentences by the rules of Unicode; the largest pieces, hardly any of which occurs twice"},
      {"bpe", "starts from bytes and merges frequent neighbours; can spell everything"},
      {"wordpiece", "the longest known beginning of a word, then of its rest, marked ##; else the word is unknown"},
      {"unigram", "the likeliest way to spell each word, whose beginning is marked ▁; unknown characters stay unknown"},
  };
  return kKinds;
}

size_t characters_of(std::string_view piece) {
  return static_cast<size_t>(std::count_if(piece.begin(), piece.end(),
                                           [](char byte) { return (static_cast<uint8_t>(byte) & 0xC0U) != 0x80U; }));
}

/// Takes pieces one by one.
class Tally {
 public:
  void add(std::string_view piece) {
    constexpr size_t kOften = 1U << 16U;
    if (++pieces_ % kOften == 0) throw_if_interrupted();
    characters_ += characters_of(piece);
    counts_.add(piece);
    if (beginning_bytes_ > kBeginningBytes) return;
    beginning_.emplace_back(piece);
    beginning_bytes_ += piece.size();
  }

  void fill(Splitting& splitting, size_t text_bytes) && {
    const auto pieces = static_cast<double>(std::max<size_t>(pieces_, 1));
    splitting.pieces = pieces_;
    splitting.distinct = counts_.size();
    splitting.bytes_each = static_cast<double>(text_bytes) / pieces;
    splitting.characters_each = static_cast<double>(characters_) / pieces;
    splitting.beginning = std::move(beginning_);
    for (const uint32_t index : counts_.by_frequency()) {
      if (splitting.frequent.size() == kFrequent) break;
      splitting.frequent.emplace_back(counts_[index].text, counts_[index].count);
    }
  }

 private:
  size_t pieces_ = 0;
  size_t characters_ = 0;
  WordCounts counts_;
  std::vector<std::string> beginning_;
  size_t beginning_bytes_ = 0;
};

size_t distinct_characters(std::string_view text) {
  std::unordered_set<std::string_view> seen;
  while (!text.empty()) {
    const size_t length = utf8_step(text).length;
    seen.insert(text.substr(0, length));
    text.remove_prefix(length);
  }
  return seen.size();
}

/// A small vocabulary of the text itself, with room for all its characters at the beginning and inside of words.
std::unique_ptr<Tokenizer> learn(const std::string& kind, const SplittingText& text, ProgressBar& bar) {
  const TokenizerTraining training{
      .model = kind == "bpe"         ? TokenizerModel::bpe
               : kind == "wordpiece" ? TokenizerModel::wordpiece
                                     : TokenizerModel::unigram,
      .vocab_size = std::max(kLearntVocabulary, 2 * distinct_characters(text.text) + kLearntVocabulary / 2)};
  const TrainingText corpus{text.name, text.text};
  return parse_tokenizer_json(kind, train_tokenizer({&corpus, 1}, training, training_progress(bar)).json);
}

void split_by_vocabulary(Splitting& splitting, const SplittingText& text, const Tokenizer& tokenizer, Tally& tally) {
  splitting.vocabulary_size = tokenizer.vocab_size();
  splitting.unknown = 0;
  for (const TokenId id : tokenizer.encode(text.text)) {
    const std::string_view piece = tokenizer.piece(id);
    const bool unknown = piece == kUnknownPiece;
    *splitting.unknown += unknown ? 1 : 0;
    // Bytes are shown as the text that they are; the marks of the others say what they are about.
    tally.add(splitting.kind == "bpe" && !piece.empty() ? piece : tokenizer.spelling(id));
  }
}

}  // namespace

const std::vector<std::string>& splitting_kinds() {
  static const std::vector<std::string> kNames = [] {
    std::vector<std::string> names;
    for (const Kind& kind : kinds()) names.push_back(kind.name);
    return names;
  }();
  return kNames;
}

std::string kind_of(const Tokenizer& tokenizer) {
  const std::string description = tokenizer.description();
  for (const char* kind : {"bpe", "wordpiece", "unigram"}) {
    if (description.find(kind) != std::string::npos) return kind;
  }
  return "";
}

Splitting split_text(const std::string& kind, const SplittingText& text, const Tokenizer* tokenizer, ProgressBar& bar) {
  const auto known = std::find_if(kinds().begin(), kinds().end(), [&](const Kind& each) { return each.name == kind; });
  Splitting splitting{.kind = kind, .rule = known->rule};
  Tally tally;
  const auto add = [&](std::string_view piece) { tally.add(piece); };
  const auto add_unless_blank = [&](std::string_view piece) {
    if (!is_blank(piece)) tally.add(piece);
  };
  if (kind == "whitespace") {
    whitespace_pieces(text.text, add);
  } else if (kind == "word") {
    words(text.text, add_unless_blank);
  } else if (kind == "character") {
    characters(text.text, add);
  } else if (kind == "sentence") {
    sentences(text.text, add_unless_blank);
  } else if (tokenizer != nullptr && kind_of(*tokenizer) == kind) {
    splitting.vocabulary = tokenizer->description();
    split_by_vocabulary(splitting, text, *tokenizer, tally);
  } else {
    splitting.vocabulary = "learnt from this text just now";
    split_by_vocabulary(splitting, text, *learn(kind, text, bar), tally);
  }
  std::move(tally).fill(splitting, text.text.size());
  return splitting;
}

}  // namespace kvzip::cli
