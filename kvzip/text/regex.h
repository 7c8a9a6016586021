// A compiled regular expression of the kind that tokenizer files hold. Immutable once made; safe from any number of
// threads.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace kvzip {

class Regex {
 public:
  /// The bytes that a match covers.
  struct Match {
    size_t begin;
    size_t end;
  };

  /// `pattern` is in the dialect of Ruby, which the package `tokenizers` uses. Throws Error{unsupported} that begins
  /// with `place` where it can't be compiled.
  explicit Regex(std::string_view pattern, std::string_view place = "pattern");
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  /// Looks for all matches from left to right. For one thread; the regular expression must outlive it, and so must
  /// `text`, which must be valid UTF-8.
  class Search {
   public:
    Search(const Regex& regex, std::string_view text);

    /// The next match, which is never empty at the end of the one before. Throws Error{input} where matching takes too
    /// many steps.
    std::optional<Match> next();

   private:
    std::optional<Match> find() const;
    const Regex& regex_;
    std::string_view text_;
    size_t from_ = 0;
    std::optional<size_t> last_end_;
    bool newer_;  ///< whether the text has characters that are newer than PCRE2's tables
  };

  /// Calls visit(piece, is_match) for the matches and for what lies between them; together they are the text.
  template <class Visit>
  void split(std::string_view text, Visit visit) const {
    Search search(*this, text);
    size_t at = 0;
    while (const auto match = search.next()) {
      if (match->begin > at) visit(text.substr(at, match->begin - at), false);
      visit(text.substr(match->begin, match->end - match->begin), true);
      at = match->end;
    }
    if (at < text.size()) visit(text.substr(at), false);
  }

 private:
  struct Code;
  std::unique_ptr<Code> code_;
};

}  // namespace kvzip
