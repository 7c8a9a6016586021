// One object of a tokenizer.json file and the way to it, read with checks: errors name the file and the field. Borrows
// the document; safe from any number of threads.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/error.h"

namespace kvzip {

class Component {
 public:
  /// `place` is the way from the top ("pre_tokenizer.pretokenizers[1]"), empty for the top itself. Throws Error{input}
  /// where `value` is no object.
  Component(std::string_view file, std::string place, const nlohmann::json& value);

  /// "tokenizer.json: model.vocab"
  std::string place(std::string_view key) const;
  /// Throws Error that the field was expected to be `expected`, and what it is.
  [[noreturn]] void fail(std::string_view key, std::string_view expected, ErrorCode code = ErrorCode::input) const;

  /// Null where the field is absent or null, which mean the same in all that follows.
  const nlohmann::json* find(std::string_view key) const;
  const nlohmann::json& get(std::string_view key, std::string_view expected) const;

  /// All throw Error{input} where the value is of another kind, and those without `otherwise` where it is absent.
  std::string type() const { return text("type"); }
  bool flag(std::string_view key) const;
  bool flag(std::string_view key, bool otherwise) const;
  std::string text(std::string_view key) const;
  std::optional<std::string> find_text(std::string_view key) const;
  /// A string of one character, as UTF-8.
  std::string character(std::string_view key) const;
  /// At most `most`.
  size_t count(std::string_view key, size_t most) const;
  std::optional<Component> find_object(std::string_view key) const;
  Component object(std::string_view key) const;
  std::vector<Component> list(std::string_view key) const;

 private:
  std::string file_;
  std::string place_;
  const nlohmann::json* object_;
};

}  // namespace kvzip
