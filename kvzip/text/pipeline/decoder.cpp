#include "kvzip/text/pipeline/decoder.h"

#include <array>

#include "kvzip/text/pipeline/component_table.h"
#include "kvzip/text/pipeline/decoder_steps.h"

namespace kvzip {

namespace {

std::unique_ptr<Decoder> make_decoder_sequence(const Component& component);

constexpr auto kDecoderKinds = std::to_array<ComponentKind<Decoder>>({
    {"BPEDecoder", make_bpe_decoder},
    {"ByteFallback", make_byte_fallback_decoder},
    {"ByteLevel", make_byte_level_decoder},
    {"CTC", make_ctc_decoder},
    {"Fuse", make_fuse_decoder},
    {"Metaspace", make_metaspace_decoder},
    {"Replace", make_replace_decoder},
    {"Sequence", make_decoder_sequence},
    {"Strip", make_strip_decoder},
    {"WordPiece", make_word_piece_decoder},
});

class DecoderSequence final : public Decoder {
 public:
  explicit DecoderSequence(const Component& component) {
    for (const Component& one : component.list("decoders")) decoders_.push_back(make_decoder(&one));
  }

  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    for (size_t i = decoders_.size(); i-- > 0;) next = decoders_[i]->start(std::move(next));
    return next;
  }
  std::optional<std::string> bytes_of(std::string_view token) const override {
    std::optional<std::string> bytes;
    for (const auto& decoder : decoders_) bytes = bytes ? bytes : decoder->bytes_of(token);
    return bytes;
  }

 private:
  std::vector<std::unique_ptr<Decoder>> decoders_;
};

std::unique_ptr<Decoder> make_decoder_sequence(const Component& component) {
  return std::make_unique<DecoderSequence>(component);
}

/// No decoder: spaces between tokens.
class SpacedTokens final : public Decoder {
 public:
  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    return std::make_unique<Run>(std::move(next));
  }

 private:
  class Run final : public TokenRun {
   public:
    using TokenRun::TokenRun;

   private:
    void token(std::string& text) override {
      give(first_ ? text : " " + text);
      first_ = false;
    }
    bool first_ = true;
  };
};

class Appending final : public DecoderRun {
 public:
  explicit Appending(std::string& out) : out_(out) {}
  void text(std::string_view part) override { out_ += part; }
  void end() override {}
  void finish() override {}

 private:
  std::string& out_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const Component* component) {
  if (component == nullptr) return std::make_unique<SpacedTokens>();
  return make_component<Decoder>(kDecoderKinds, *component);
}

std::string Decoder::piece(std::string_view token) const {
  if (const auto bytes = bytes_of(token)) return *bytes;
  const auto text_of = [&](std::initializer_list<std::string_view> tokens) {
    std::string text;
    const auto run = start(append_to(text));
    for (const std::string_view one : tokens) {
      run->text(one);
      run->end();
    }
    run->finish();
    return text;
  };
  // Letters on both sides, other than the token itself, as repeated tokens may count once.
  const std::string_view left = token == "x" ? "z" : "x";
  const std::string_view right = token == "y" ? "z" : "y";
  const size_t before = text_of({left}).size();
  const size_t both = text_of({left, right}).size();
  const std::string text = text_of({left, token, right});
  return text.size() < both || both < before ? "" : text.substr(before, text.size() - both);
}

std::unique_ptr<DecoderRun> append_to(std::string& out) { return std::make_unique<Appending>(out); }

}  // namespace kvzip
