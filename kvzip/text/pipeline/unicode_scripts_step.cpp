// UnicodeScripts: cuts where the script changes. What stands before the first character that has a script is lost, as
// in the package.
#include <optional>

#include "kvzip/text/pipeline/pre_tokenizer_steps.h"
#include "kvzip/text/unicode/properties.h"
#include "kvzip/text/unicode/utf8_append.h"

namespace kvzip {

namespace {

class UnicodeScriptsStep final : public PreTokenizerStep {
 public:
  void split(Piece piece, TextStore& /*store*/, PieceVisitor visit) const override {
    const std::string_view text = piece.text;
    int last = kNone;
    std::optional<size_t> begin;
    for (size_t at = 0; at < text.size();) {
      const CodePoint next = first_point(text.substr(at));
      const int script = script_number(next.point);
      if (script != kNone && script != last) {
        if (begin) visit(piece.part(text.substr(*begin, at - *begin)));
        begin = at;
        last = script;
      }
      at += next.length;
    }
    if (begin) visit(piece.part(text.substr(*begin)));
  }

 private:
  static constexpr int kNone = -1;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> make_unicode_scripts_step(const Component& /*component*/) {
  return std::make_unique<UnicodeScriptsStep>();
}

}  // namespace kvzip
