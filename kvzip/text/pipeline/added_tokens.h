// The tokens that are found in a text before the model sees it: the section "added_tokens" of tokenizer.json. Immutable
// once made; safe from any number of threads.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/text/pipeline/model.h"
#include "kvzip/text/pipeline/normalizer.h"
#include "kvzip/text/special_tokens.h"

namespace kvzip {

struct AddedToken {
  std::string content;
  TokenId id = -1;
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space before it along
  bool rstrip = false;       ///< and that behind it
  bool normalized = true;    ///< is looked for in normalized text
  bool special = false;      ///< is left out of decoded text
  /// How decoders see it: normalized where it is looked for so.
  std::string spelling;
};

/// The field "added_tokens". Tokens that the model lacks get the ids behind its own, in the order of the file. Throws
/// Error{input} where a token's id is another one.
std::vector<AddedToken> read_added_tokens(const Component& component, const PipelineModel& model,
                                          const Normalizer* normalizer);

/// Finds some of them in a text: at each place the longest.
class AddedTokenFinder {
 public:
  /// Those that are, or are not, looked for in normalized text. `tokens` must outlive this.
  AddedTokenFinder(std::span<const AddedToken> tokens, bool normalized);

  /// Calls visit_text(part) and visit_token(id) for what the text is made of, in order.
  template <class VisitText, class VisitToken>
  void split(std::string_view text, VisitText visit_text, VisitToken visit_token) const {
    size_t done = 0;
    size_t spaces_end = 0;  // as far as white space was looked at
    for (auto found = finder_.find(text, 0); found; found = finder_.find(text, found->end)) {
      const AddedToken& token = tokens_[static_cast<size_t>(found->id)];
      if (token.single_word && !is_single(text, *found)) continue;
      const size_t begin = token.lstrip ? left_end(text, found->begin, done) : found->begin;
      if (token.rstrip && found->end >= spaces_end) spaces_end = right_end(text, found->end);
      const size_t end = token.rstrip ? spaces_end : found->end;
      if (done < begin) visit_text(text.substr(done, begin - done));
      if (begin < end) visit_token(token.id);  // else the token before it took all of it along
      done = end;
    }
    if (done != text.size()) visit_text(text.substr(done));
  }

 private:
  static bool is_single(std::string_view text, const SpecialTokens::Found& found);
  static size_t left_end(std::string_view text, size_t begin, size_t least);
  static size_t right_end(std::string_view text, size_t end);

  std::span<const AddedToken> tokens_;
  SpecialTokens finder_;  ///< its ids are indices into `tokens_`
};

}  // namespace kvzip
