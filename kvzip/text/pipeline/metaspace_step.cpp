// Metaspace: spaces become a visible mark, which starts each word.
#include "kvzip/text/pipeline/metaspace.h"
#include "kvzip/text/pipeline/pre_tokenizer_steps.h"
#include "kvzip/text/pipeline/split_behavior.h"

namespace kvzip {

Metaspace::Metaspace(const Component& component)
    : mark(component.character("replacement")), split(component.flag("split", true)) {
  const std::string scheme = component.find_text("prepend_scheme").value_or("always");
  if (scheme == "first") {
    prepend = Prepend::first;
  } else if (scheme == "never") {
    prepend = Prepend::never;
  } else if (scheme != "always") {
    component.fail("prepend_scheme", "one of always, first, never", ErrorCode::unsupported);
  }
  if (!component.flag("add_prefix_space", true)) {
    if (prepend != Prepend::never) component.fail("add_prefix_space", "true, as prepend_scheme is not never");
  }
}

namespace {

class MetaspaceStep final : public PreTokenizerStep {
 public:
  explicit MetaspaceStep(const Component& component) : options_(component) {}

  void split(Piece piece, TextStore& store, PieceVisitor visit) const override {
    const Piece marked = mark_spaces(piece, store);
    if (!options_.split) return visit(marked);
    DelimiterSplit parts(SplitBehavior::merged_with_next, [&](std::string_view part) { visit(marked.part(part)); });
    const std::string_view text = marked.text;
    size_t at = 0;
    for (size_t hit = text.find(options_.mark); hit != std::string_view::npos; hit = text.find(options_.mark, at)) {
      if (hit > at) parts.add(text.substr(at, hit - at), false);
      parts.add(text.substr(hit, options_.mark.size()), true);
      at = hit + options_.mark.size();
    }
    if (at < text.size()) parts.add(text.substr(at), false);
    parts.finish();
  }

  // A part that starts with a space gets no mark of its own.
  Cuts cuts() const override { return options_.split ? Cuts::ends_at_spaces : Cuts::unknown; }

 private:
  Piece mark_spaces(Piece piece, TextStore& store) const {
    const bool starts = piece.text.starts_with(options_.mark) || piece.text.starts_with(' ');
    const bool wanted = options_.prepend == Metaspace::Prepend::always ||
                        (options_.prepend == Metaspace::Prepend::first && piece.origin > 0);
    const bool prepend = wanted && !starts;
    if (!prepend && piece.text.find(' ') == std::string_view::npos) return piece;
    std::string out;
    out.reserve(piece.text.size() + piece.text.size() / 4 + options_.mark.size());
    if (prepend) out += options_.mark;
    const size_t origin = piece.origin > 0 ? out.size() + 1 : 0;
    for (size_t at = 0; at < piece.text.size();) {
      const size_t end = std::min(piece.text.find(' ', at), piece.text.size());
      out += piece.text.substr(at, end - at);
      if (end < piece.text.size()) out += options_.mark;
      at = end + 1;
    }
    return {.text = store.keep(std::move(out)), .origin = origin};
  }

  Metaspace options_;
};

}  // namespace

std::unique_ptr<PreTokenizerStep> make_metaspace_step(const Component& component) {
  return std::make_unique<MetaspaceStep>(component);
}

}  // namespace kvzip
