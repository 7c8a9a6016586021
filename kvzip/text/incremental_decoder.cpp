#include "kvzip/text/incremental_decoder.h"

namespace kvzip {

std::string IncrementalDecoder::push(TokenId id) {
  std::string bytes;
  stream_->push(id, bytes);
  std::string text;
  repair_.push(bytes, text);
  return text;
}

std::string IncrementalDecoder::flush() {
  std::string bytes;
  stream_->finish(bytes);
  stream_ = tokenizer_.stream();
  std::string text;
  repair_.push(bytes, text);
  repair_.flush(text);
  return text;
}

}  // namespace kvzip
