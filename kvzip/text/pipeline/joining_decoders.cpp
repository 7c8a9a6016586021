// Decoders that put tokens together: ByteFallback, ByteLevel, Fuse.
#include <optional>

#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/byte_fallback.h"
#include "kvzip/text/lossy_utf8.h"
#include "kvzip/text/pipeline/decoder_steps.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

/// All tokens become one.
class FuseDecoder final : public Decoder {
 public:
  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    return std::make_unique<Run>(std::move(next));
  }

 private:
  class Run final : public DecoderRun {
   public:
    explicit Run(std::unique_ptr<DecoderRun> next) : next_(std::move(next)) {}
    void text(std::string_view part) override { next_->text(part); }
    void end() override {}
    void finish() override {
      next_->end();
      next_->finish();
    }

   private:
    std::unique_ptr<DecoderRun> next_;
  };
};

/// All tokens become one text of the bytes that they spell. A token that spells none stands for itself.
class ByteLevelDecoder final : public Decoder {
 public:
  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    return std::make_unique<Run>(std::move(next));
  }
  std::optional<std::string> bytes_of(std::string_view token) const override {
    std::string bytes;
    if (!append_spelled_bytes(token, bytes)) bytes = token;
    return bytes;
  }

 private:
  class Run final : public DecoderRun {
   public:
    explicit Run(std::unique_ptr<DecoderRun> next) : next_(std::move(next)) {}
    void text(std::string_view part) override { token_ += part; }
    void end() override {
      bytes_.clear();
      if (!append_spelled_bytes(token_, bytes_)) bytes_ = token_;
      token_.clear();
      text_.clear();
      repair_.push(bytes_, text_);
      next_->text(text_);
    }
    void finish() override {
      text_.clear();
      repair_.flush(text_);
      next_->text(text_);
      next_->end();
      next_->finish();
    }

   private:
    std::unique_ptr<DecoderRun> next_;
    LossyUtf8 repair_;
    std::string token_;
    std::string bytes_;
    std::string text_;
  };
};

/// <0x0A> is a byte; a run of bytes that is not UTF-8 becomes one U+FFFD for each.
class ByteFallbackDecoder final : public Decoder {
 public:
  std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const override {
    return std::make_unique<Run>(std::move(next));
  }
  std::optional<std::string> bytes_of(std::string_view token) const override {
    const auto byte = parse_byte_token(token);
    return byte ? std::optional(std::string(1, static_cast<char>(*byte))) : std::nullopt;
  }

 private:
  class Run final : public TokenRun {
   public:
    using TokenRun::TokenRun;

   private:
    void token(std::string& text) override {
      if (const auto byte = parse_byte_token(text)) {
        bytes_ += static_cast<char>(*byte);
        return;
      }
      last();
      give(text);
    }
    void last() override {
      const bool valid = valid_utf8_length(bytes_) == bytes_.size();
      if (valid && !bytes_.empty()) give(bytes_);
      for (size_t i = 0; !valid && i < bytes_.size(); ++i) give("\uFFFD");
      bytes_.clear();
    }
    std::string bytes_;
  };
};

}  // namespace

std::unique_ptr<Decoder> make_fuse_decoder(const Component& /*component*/) { return std::make_unique<FuseDecoder>(); }

std::unique_ptr<Decoder> make_byte_level_decoder(const Component& /*component*/) {
  return std::make_unique<ByteLevelDecoder>();
}

std::unique_ptr<Decoder> make_byte_fallback_decoder(const Component& /*component*/) {
  return std::make_unique<ByteFallbackDecoder>();
}

}  // namespace kvzip
