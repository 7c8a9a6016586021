#include "kvzip/text/tokenizer.h"

namespace kvzip {

namespace {

/// Tokens are pieces put together, except that the first may lose a space.
class PieceStream final : public TokenStream {
 public:
  explicit PieceStream(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void push(TokenId id, std::string& text) override {
    const std::string_view piece = tokenizer_.piece(id);
    // Only decode() knows whether a start loses its space.
    text += at_start_ ? std::string_view(tokenizer_.decode({&id, 1})) : piece;
    at_start_ = piece.empty();
  }
  void finish(std::string& /*text*/) override {}

 private:
  const Tokenizer& tokenizer_;
  bool at_start_ = true;  ///< nothing or only control tokens so far, or a control token right before
};

}  // namespace

std::string Tokenizer::verbatim(std::span<const TokenId> ids) const {
  std::string text;
  for (size_t at = 0; at < ids.size();) {
    size_t end = at;
    while (end < ids.size() && !piece(ids[end]).empty()) ++end;
    text += decode(ids.subspan(at, end - at));
    if (end < ids.size()) text += spelling(ids[end]);
    at = end + 1;
  }
  return text;
}

std::unique_ptr<TokenStream> Tokenizer::stream() const { return std::make_unique<PieceStream>(*this); }

std::vector<TokenId> Tokenizer::with_special_tokens(std::span<const TokenId> first,
                                                    std::optional<std::span<const TokenId>> second) const {
  std::vector<TokenId> ids(first.begin(), first.end());
  if (second) ids.insert(ids.end(), second->begin(), second->end());
  return ids;
}

}  // namespace kvzip
