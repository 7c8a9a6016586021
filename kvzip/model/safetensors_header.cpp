#include "kvzip/model/safetensors_header.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "kvzip/base/quote.h"
#include "kvzip/model/gguf_reader.h"

namespace kvzip {
namespace {

constexpr size_t kMaxDimensions = 8;

/// Takes the parser's events. Level 1 is the file's object, 2 one array's (or the metadata), 3 a list of numbers in it.
class HeaderEvents : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderEvents(std::string_view file) : file_(file) {}

  std::map<std::string, SafetensorsEntry, std::less<>> entries;
  std::map<std::string, std::string> metadata;

  bool null() override { unexpected("null"); }
  bool boolean(bool /*value*/) override { unexpected("a bool"); }
  bool number_integer(int64_t /*value*/) override { unexpected("a negative number"); }
  bool number_float(double /*value*/, const std::string& /*text*/) override { unexpected("a fraction"); }
  bool binary(binary_t& /*value*/) override { unexpected("binary data"); }

  bool number_unsigned(uint64_t value) override {
    if (level_ != 3) unexpected("a number");
    if (list_.size() == kMaxDimensions) unexpected("more than 8 numbers");
    list_.push_back(value);
    return true;
  }

  bool string(std::string& value) override {
    if (level_ != 2 || (!in_metadata() && key_ != "dtype")) unexpected("a string");
    if (in_metadata()) {
      metadata[key_] = value;
    } else {
      entry_.dtype = value;
    }
    return true;
  }

  bool start_object(size_t /*size*/) override {
    if (level_ > 1) unexpected("an object");
    if (++level_ == 2) {
      seen_.clear();
      entry_ = {};
    }
    return true;
  }

  bool key(std::string& value) override {
    if (level_ == 1) {
      name_ = value;
      key_.clear();
      const bool second = in_metadata() ? std::exchange(metadata_seen_, true) : entries.contains(name_);
      if (second) fail("one entry", "a second one");
      return true;
    }
    key_ = value;
    if (!in_metadata() && key_ != "dtype" && key_ != "shape" && key_ != "data_offsets") {
      fail("dtype, shape or data_offsets", "another key");
    }
    if (!seen_.insert(key_).second) fail("one value", "a second one");
    return true;
  }

  bool end_object() override {
    if (level_-- != 2 || in_metadata()) return true;
    if (seen_.size() != 3) fail("dtype, shape and data_offsets", fmt::format("{} of them", seen_.size()));
    entries.emplace(name_, std::move(entry_));
    return true;
  }

  bool start_array(size_t /*size*/) override {
    if (level_ != 2 || in_metadata() || key_ == "dtype") unexpected("a list");
    level_ = 3;
    list_.clear();
    return true;
  }

  bool end_array() override {
    level_ = 2;
    if (key_ == "data_offsets" && list_.size() != 2) fail("two numbers", fmt::to_string(list_.size()));
    (key_ == "shape" ? entry_.shape : entry_.offsets) = list_;
    return true;
  }

  bool parse_error(size_t position, const std::string& /*token*/, const nlohmann::detail::exception& /*why*/) override {
    fail_field(file_, "header", "JSON", fmt::format("an error at byte {} of it", position));
  }

 private:
  bool in_metadata() const { return name_ == "__metadata__"; }

  [[noreturn]] void fail(std::string_view expected, std::string_view found) const {
    const std::string place = level_ == 0 ? "header" : quote(name_);
    fail_field(file_, key_.empty() ? place : fmt::format("{} of {}", quote(key_), place), expected, found);
  }
  [[noreturn]] void unexpected(std::string_view found) const {
    fail("an object of arrays with dtype, shape and data_offsets", found);
  }

  std::string_view file_;
  int level_ = 0;
  std::string name_;
  std::string key_;
  bool metadata_seen_ = false;
  std::set<std::string> seen_;
  SafetensorsEntry entry_;
  std::vector<uint64_t> list_;
};

}  // namespace

std::map<std::string, SafetensorsEntry, std::less<>> parse_safetensors_header(
    std::string_view file, std::string_view json, std::map<std::string, std::string>* metadata) {
  HeaderEvents events(file);
  nlohmann::json::sax_parse(json.begin(), json.end(), &events);
  if (metadata != nullptr) *metadata = std::move(events.metadata);
  return std::move(events.entries);
}

}  // namespace kvzip
