// ByteLevel: GPT-2's words, their bytes spelled in a printable alphabet.
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/pipeline/normalizer.h"
#include "kvzip/text/pipeline/pre_tokenizer_steps.h"
#include "kvzip/text/regex.h"
#include "kvzip/text/split_patterns.h"

namespace kvzip {

namespace {

class ByteLevelStep final : public PreTokenizerStep {
 public:
  struct Options {
    bool add_prefix_space;
    bool use_regex;
    bool spell;
  };

  explicit ByteLevelStep(const Options& options) : options_(options), words_(kGpt2Words) {}

  void split(Piece piece, TextStore& store, PieceVisitor visit) const override {
    if (options_.add_prefix_space && !piece.text.starts_with(' ')) {
      piece.text = store.keep(" " + std::string(piece.text));
      piece.origin += piece.origin > 0 ? 1 : 0;
    }
    const auto visit_word = [&](std::string_view word, bool /*is_match*/) {
      Piece part = piece.part(word);
      if (options_.spell) {
        NormalizedText spelled{.text = std::string(word), .origin = part.origin};
        spelled.transform(spell_bytes);
        part = {.text = store.keep(std::move(spelled.text)), .origin = spelled.origin};
      }
      visit(part);
    };
    if (options_.use_regex) {
      words_.split(piece.text, visit_word);
    } else {
      visit_word(piece.text, true);
    }
  }

  Cuts cuts() const override {
    if (options_.add_prefix_space) return Cuts::unknown;
    return options_.use_regex ? Cuts::ends : Cuts::harmless;
  }

  std::unique_ptr<PreTokenizerStep> of_bytes() const override {
    Options options = options_;
    options.spell = false;
    return std::make_unique<ByteLevelStep>(options);
  }

 private:
  Options options_;
  Regex words_;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> make_byte_level_step(const Component& component) {
  return std::make_unique<ByteLevelStep>(ByteLevelStep::Options{.add_prefix_space = component.flag("add_prefix_space"),
                                                                .use_regex = component.flag("use_regex", true),
                                                                .spell = true});
}

}  // namespace kvzip
