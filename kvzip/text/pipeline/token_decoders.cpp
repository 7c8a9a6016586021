// Decoders that change each token: BPEDecoder, CTC, Metaspace, Replace, Strip, WordPiece.
#include <array>
#include <limits>
#include <optional>

#include "kvzip/text/pipeline/decoder_steps.h"
#include "kvzip/text/pipeline/metaspace.h"
#include "kvzip/text/pipeline/text_pattern.h"

namespace kvzip {

namespace {

std::string replaced(std::string_view text, std::string_view from, std::string_view to) {
  std::string out;
  size_t at = 0;
  for (size_t hit = text.find(from); !from.empty() && hit != std::string_view::npos; hit = text.find(from, at)) {
    out += text.substr(at, hit - at);
    out += to;
    at = hit + from.size();
  }
  out += text.substr(at);
  return out;
}

/// Takes spaces away that stand before punctuation and English endings.
std::string cleaned(std::string_view text) {
  static constexpr auto kRules = std::to_array<std::pair<std::string_view, std::string_view>>({
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" do not", " don't"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  });
  std::string out(text);
  if (out.find(' ') == std::string::npos) return out;
  for (const auto& [from, to] : kRules) out = replaced(out, from, to);
  return out;
}

/// A decoder whose runs need nothing but its options.
template <class Run, class Options>
class SimpleDecoder final : public Decoder {
 public:
  explicit SimpleDecoder(const Component& component) : options_(component) {}
  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    return std::make_unique<Run>(std::move(next), options_);
  }

 private:
  Options options_;
};

struct BpeOptions {
  explicit BpeOptions(const Component& component) : suffix(component.text("suffix")) {}
  std::string suffix;  ///< a word's end: a space, except in the last token
};

class BpeRun final : public TokenRun {
 public:
  BpeRun(std::unique_ptr<DecoderRun> next, const BpeOptions& options) : TokenRun(std::move(next)), options_(options) {}

 private:
  void token(std::string& text) override {
    if (held_) give(with_ends(*held_, " "));
    held_ = text;
  }
  void last() override {
    if (held_) give(with_ends(*held_, ""));
  }
  std::string with_ends(std::string_view text, std::string_view end) const {
    if (!options_.suffix.empty()) return replaced(text, options_.suffix, end);
    std::string out(end);  // an empty suffix stands between all characters
    for (size_t i = 0; i < text.size(); ++i) {
      out += text[i];
      const bool ends = i + 1 == text.size() || (static_cast<unsigned char>(text[i + 1]) & 0xC0U) != 0x80U;
      if (ends) out += end;
    }
    return out;
  }
  const BpeOptions& options_;
  std::optional<std::string> held_;
};

struct CtcOptions {
  explicit CtcOptions(const Component& component)
      : pad(component.text("pad_token")),
        delimiter(component.text("word_delimiter_token")),
        cleanup(component.flag("cleanup")) {}
  std::string pad;
  std::string delimiter;  ///< a space
  bool cleanup;
};

/// Repeated tokens count once, as each stands for a moment of speech.
class CtcRun final : public TokenRun {
 public:
  CtcRun(std::unique_ptr<DecoderRun> next, const CtcOptions& options) : TokenRun(std::move(next)), options_(options) {}

 private:
  void token(std::string& text) override {
    if (previous_ == text) return;
    previous_ = text;
    std::string out = replaced(text, options_.pad, "");
    if (options_.cleanup) out = replaced(cleaned(out), options_.delimiter, " ");
    if (!out.empty()) give(out);
  }
  const CtcOptions& options_;
  std::optional<std::string> previous_;
};

class MetaspaceRun final : public TokenRun {
 public:
  MetaspaceRun(std::unique_ptr<DecoderRun> next, const Metaspace& options)
      : TokenRun(std::move(next)), options_(options) {}

 private:
  void token(std::string& text) override {
    const bool dropped = first_ && options_.prepend != Metaspace::Prepend::never;
    give(replaced(text, options_.mark, dropped ? "" : " "));
    first_ = false;
  }
  const Metaspace& options_;
  bool first_ = true;
};

struct ReplaceOptions {
  explicit ReplaceOptions(const Component& component) : pattern(component), content(component.text("content")) {}
  TextPattern pattern;
  std::string content;
};

class ReplaceRun final : public TokenRun {
 public:
  ReplaceRun(std::unique_ptr<DecoderRun> next, const ReplaceOptions& options)
      : TokenRun(std::move(next)), options_(options) {}

 private:
  void token(std::string& text) override {
    std::string out;
    options_.pattern.split(text, [&](std::string_view part, bool is_match) {
      out += is_match ? std::string_view(options_.content) : part;
    });
    give(out);
  }
  const ReplaceOptions& options_;
};

struct StripOptions {
  static constexpr size_t kMost = std::numeric_limits<int32_t>::max();
  explicit StripOptions(const Component& component)
      : content(component.character("content")),
        start(component.count("start", kMost)),
        stop(component.count("stop", kMost)) {}
  std::string content;
  size_t start;  ///< so many of them are taken away at a token's start
  size_t stop;   ///< and at its end
};

/// Passes parts on as early as it can, because the token may be a whole text.
class StripRun final : public DecoderRun {
 public:
  StripRun(std::unique_ptr<DecoderRun> next, const StripOptions& options)
      : next_(std::move(next)), options_(options), starts_left_(options.start) {}

  void text(std::string_view part) override {
    held_ += part;
    const std::string& content = options_.content;
    while (starts_left_ > 0 && held_.starts_with(content)) {
      held_.erase(0, content.size());
      --starts_left_;
    }
    if (held_.empty()) return;
    if (!std::string_view(content).starts_with(held_)) starts_left_ = 0;
    if (starts_left_ > 0) return;
    size_t keep = held_.size();
    for (size_t i = 0; i < options_.stop && std::string_view(held_).substr(0, keep).ends_with(content); ++i) {
      keep -= content.size();
    }
    next_->text(std::string_view(held_).substr(0, keep));
    held_.erase(0, keep);
  }
  void end() override {
    size_t kept = held_.size();
    for (size_t i = 0; i < options_.stop && std::string_view(held_).substr(0, kept).ends_with(options_.content); ++i) {
      kept -= options_.content.size();
    }
    next_->text(std::string_view(held_).substr(0, kept));
    next_->end();
    held_.clear();
    starts_left_ = options_.start;
  }
  void finish() override { next_->finish(); }

 private:
  std::unique_ptr<DecoderRun> next_;
  const StripOptions& options_;
  std::string held_;
  size_t starts_left_;
};

struct WordPieceOptions {
  explicit WordPieceOptions(const Component& component)
      : prefix(component.text("prefix")), cleanup(component.flag("cleanup")) {}
  std::string prefix;  ///< of tokens inside a word
  bool cleanup;
};

class WordPieceRun final : public TokenRun {
 public:
  WordPieceRun(std::unique_ptr<DecoderRun> next, const WordPieceOptions& options)
      : TokenRun(std::move(next)), options_(options) {}

 private:
  void token(std::string& text) override {
    const bool inside = text.starts_with(options_.prefix);
    if (!first_) text = inside ? text.substr(options_.prefix.size()) : " " + text;
    first_ = false;
    give(options_.cleanup ? cleaned(text) : text);
  }
  const WordPieceOptions& options_;
  bool first_ = true;
};

}  // namespace

std::unique_ptr<Decoder> make_bpe_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<BpeRun, BpeOptions>>(component);
}

std::unique_ptr<Decoder> make_ctc_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<CtcRun, CtcOptions>>(component);
}

std::unique_ptr<Decoder> make_metaspace_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<MetaspaceRun, Metaspace>>(component);
}

std::unique_ptr<Decoder> make_replace_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<ReplaceRun, ReplaceOptions>>(component);
}

std::unique_ptr<Decoder> make_strip_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<StripRun, StripOptions>>(component);
}

std::unique_ptr<Decoder> make_word_piece_decoder(const Component& component) {
  return std::make_unique<SimpleDecoder<WordPieceRun, WordPieceOptions>>(component);
}

}  // namespace kvzip
