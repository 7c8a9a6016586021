#include "kvzip/base/json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

using nlohmann::json;

[[noreturn]] void fail(std::string_view file, const std::string& what) {
  throw Error(ErrorCode::input, fmt::format("{}: {}", file, what));
}

/// Counts brackets outside strings, before anything is built of them.
void expect_depth(std::string_view file, std::string_view text, size_t most) {
  size_t depth = 0;
  bool in_string = false;
  for (size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (in_string) {
      if (c == '\\') ++at;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > most) {
        fail(file,
             fmt::format("byte {}: expected at most {} objects and arrays inside each other, found more", at, most));
      }
    } else if ((c == ']' || c == '}') && depth > 0) {
      --depth;
    }
  }
}

/// Builds the document from the parser's events. The values that are still open are each inside the one before, which
/// doesn't grow meanwhile, so that pointers to them stay good.
class Builder : public nlohmann::json_sax<json> {
 public:
  explicit Builder(std::string_view file) : file_(file) {}

  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string& /*text*/) override { return add(value); }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(json::binary_t& /*value*/) override { return false; }  // text has none
  bool start_object(size_t /*size*/) override { return open(json::object()); }
  bool start_array(size_t /*size*/) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(std::string& value) override {
    const auto [member, is_new] = open_.back()->emplace(std::move(value), nullptr);
    if (!is_new)
      fail(file_, fmt::format("key {}: expected once in its object, found a second one", quote(member.key())));
    member_ = &*member;
    return true;
  }

  bool parse_error(size_t position, const std::string& token, const json::exception& /*why*/) override {
    fail(file_, fmt::format("byte {}: expected JSON, found {}", position, quote(token)));
  }

 private:
  json* place(json&& value) {
    if (open_.empty()) return &(root_ = std::move(value));
    if (open_.back()->is_object()) return &(*member_ = std::move(value));
    open_.back()->push_back(std::move(value));
    return &open_.back()->back();
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json&& value) {
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  std::string_view file_;
  json root_;
  std::vector<json*> open_;
  json* member_ = nullptr;  // of the innermost object, whose value comes next
};

}  // namespace

json parse_json(std::string_view file, std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    fail(file, fmt::format("expected a JSON file of at most {} bytes, found {}", limits.bytes, text.size()));
  }
  expect_depth(file, text, limits.depth);
  Builder builder(file);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

json read_json(const std::string& path, const JsonLimits& limits) {
  const MappedFile file(path);
  return parse_json(path, {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()}, limits);
}

std::string shown(const json* value) {
  if (value == nullptr) return "none";
  if (value->is_string()) return quote(value->get_ref<const std::string&>());
  if (value->is_object()) return "an object";
  if (value->is_array()) return fmt::format("a list of {}", value->size());
  return value->dump();
}

}  // namespace kvzip
