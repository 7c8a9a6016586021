#include "kvzip/text/lossy_utf8.h"

#include "kvzip/text/utf8.h"

namespace kvzip {

void LossyUtf8::push(std::string_view bytes, std::string& text) {
  if (pending_.empty() && valid_utf8_length(bytes) == bytes.size()) {
    text += bytes;
    return;
  }
  pending_ += bytes;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const Utf8Step step = utf8_step(rest);
    if (step.kind == Utf8Step::Kind::cut_off) break;
    text += step.kind == Utf8Step::Kind::character ? rest.substr(0, step.length) : kReplacementCharacter;
    rest.remove_prefix(step.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
}

void LossyUtf8::flush(std::string& text) {
  if (!pending_.empty()) text += kReplacementCharacter;
  pending_.clear();
}

std::string lossy_utf8(std::string_view bytes) {
  std::string text;
  LossyUtf8 repair;
  repair.push(bytes, text);
  repair.flush(text);
  return text;
}

}  // namespace kvzip
