// What makes text of tokens again: the section "decoder" of tokenizer.json. A decoder is immutable and safe from any
// number of threads; a run of it belongs to one.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

/// Takes tokens one by one, each as parts of its text and an end.
class DecoderRun {
 public:
  DecoderRun() = default;
  DecoderRun(const DecoderRun&) = delete;
  DecoderRun& operator=(const DecoderRun&) = delete;
  virtual ~DecoderRun() = default;

  virtual void text(std::string_view part) = 0;
  virtual void end() = 0;
  /// There are no more tokens: gives what was held back.
  virtual void finish() = 0;
};

class Decoder {
 public:
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;

  /// A run that passes its tokens on to `next`.
  virtual std::unique_ptr<DecoderRun> start(std::unique_ptr<DecoderRun> next) const = 0;
  /// The bytes that a token stands for in running text, where it is neither first nor last.
  std::string piece(std::string_view token) const;
  /// The bytes of a token that may be a part of a character; nothing for all others.
  virtual std::optional<std::string> bytes_of(std::string_view /*token*/) const { return std::nullopt; }
};

/// Throws Error{unsupported} that names an unknown type. Without a component tokens are put together with spaces
/// between them.
std::unique_ptr<Decoder> make_decoder(const Component* component);

/// The end of a chain: appends all text to `out`, which must outlive it.
std::unique_ptr<DecoderRun> append_to(std::string& out);

}  // namespace kvzip
