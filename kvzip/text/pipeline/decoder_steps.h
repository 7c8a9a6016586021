// The builders of all decoders, for the table in decoder.cpp, and what their runs have in common.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "kvzip/text/pipeline/decoder.h"

namespace kvzip {

/// A run that changes whole tokens.
class TokenRun : public DecoderRun {
 public:
  explicit TokenRun(std::unique_ptr<DecoderRun> next) : next_(std::move(next)) {}

  void text(std::string_view part) override { token_ += part; }
  void end() override {
    token(token_);
    token_.clear();
  }
  void finish() override {
    last();
    next_->finish();
  }

 protected:
  virtual void token(std::string& text) = 0;
  virtual void last() {}  ///< called before the end
  void give(std::string_view text) {
    next_->text(text);
    next_->end();
  }

 private:
  std::unique_ptr<DecoderRun> next_;
  std::string token_;
};

std::unique_ptr<Decoder> make_bpe_decoder(const Component& component);
std::unique_ptr<Decoder> make_byte_fallback_decoder(const Component& component);
std::unique_ptr<Decoder> make_byte_level_decoder(const Component& component);
std::unique_ptr<Decoder> make_ctc_decoder(const Component& component);
std::unique_ptr<Decoder> make_fuse_decoder(const Component& component);
std::unique_ptr<Decoder> make_metaspace_decoder(const Component& component);
std::unique_ptr<Decoder> make_replace_decoder(const Component& component);
std::unique_ptr<Decoder> make_strip_decoder(const Component& component);
std::unique_ptr<Decoder> make_word_piece_decoder(const Component& component);

}  // namespace kvzip
