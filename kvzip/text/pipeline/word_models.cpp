// Models that look words up: WordLevel, WordPiece.
#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "kvzip/base/quote.h"
#include "kvzip/text/byte_trie.h"
#include "kvzip/text/pipeline/models.h"

namespace kvzip {

namespace {

/// The token of words that the vocabulary does not have.
class UnknownWord {
 public:
  explicit UnknownWord(const Component& component, const PipelineModel& model)
      : spelling_(component.text("unk_token")), id_(model.find(spelling_)) {}

  TokenId of(std::string_view word) const {
    if (id_) return *id_;
    throw Error(ErrorCode::input, fmt::format("text: expected words that the vocabulary has, as it lacks {}, found {}",
                                              quote(spelling_), quote(word)));
  }

 private:
  std::string spelling_;
  std::optional<TokenId> id_;
};

class WordLevel final : public PipelineModel {
 public:
  explicit WordLevel(const Component& component)
      : PipelineModel(component, read_vocabulary(component)), unknown_(component, *this) {}

  std::string_view name() const override { return "wordlevel"; }

  void encode(std::string_view word, EncodeWork& work) const override {
    const auto id = find(word);
    work.ids.push_back(id ? *id : unknown_.of(word));
  }

 private:
  UnknownWord unknown_;
};

/// The longest token that a word begins with, then the longest that the rest does.
class WordPiece final : public PipelineModel {
 public:
  explicit WordPiece(const Component& component)
      : PipelineModel(component, read_vocabulary(component)),
        unknown_(component, *this),
        prefix_(component.text("continuing_subword_prefix")),
        longest_word_(component.count("max_input_chars_per_word", std::numeric_limits<int64_t>::max())) {
    for (size_t id = 0; id < tokens().size(); ++id) {
      const std::string_view token = tokens()[id];
      first_.add(token, static_cast<TokenId>(id));
      if (token.starts_with(prefix_)) others_.add(token.substr(prefix_.size()), static_cast<TokenId>(id));
    }
  }

  std::string_view name() const override { return "wordpiece"; }

  void encode(std::string_view word, EncodeWork& work) const override {
    work.cache.append(word, work.ids, [&] {
      const size_t before = work.ids.size();
      if (!is_too_long(word) && append_pieces(word, work)) return;
      work.ids.resize(before);
      work.ids.push_back(unknown_.of(word));
    });
  }

 private:
  bool is_too_long(std::string_view word) const {
    if (word.size() <= longest_word_) return false;
    const auto begins = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) != 0x80U; };
    return static_cast<size_t>(std::ranges::count_if(word, begins)) > longest_word_;
  }

  bool append_pieces(std::string_view word, EncodeWork& work) const {
    for (size_t at = 0; at < word.size();) {
      size_t longest = 0;
      TokenId piece = -1;
      (at == 0 ? first_ : others_).prefixes(word.substr(at), [&](size_t length, TokenId id) {
        longest = length;
        piece = id;
      });
      if (longest == 0) return false;
      work.ids.push_back(piece);
      at += longest;
    }
    return true;
  }

  UnknownWord unknown_;
  std::string prefix_;
  size_t longest_word_;
  ByteTrie first_;   ///< tokens at the start of a word
  ByteTrie others_;  ///< those inside, without the prefix
};

}  // namespace

std::unique_ptr<PipelineModel> make_word_level_model(const Component& component) {
  return std::make_unique<WordLevel>(component);
}

std::unique_ptr<PipelineModel> make_word_piece_model(const Component& component) {
  return std::make_unique<WordPiece>(component);
}

}  // namespace kvzip
