// Makes bytes that come in parts valid UTF-8. Belongs to one thread.
#pragma once

#include <string>
#include <string_view>

namespace kvzip {

/// What push() and flush() append, put together, is all bytes with every maximal invalid sequence replaced by U+FFFD.
/// It is always whole, valid UTF-8.
class LossyUtf8 {
 public:
  void push(std::string_view bytes, std::string& text);
  /// The end: an unfinished character becomes U+FFFD.
  void flush(std::string& text);

 private:
  std::string pending_;  ///< the bytes of an unfinished character
};

/// `bytes` with every maximal invalid sequence replaced by U+FFFD.
std::string lossy_utf8(std::string_view bytes);

}  // namespace kvzip
