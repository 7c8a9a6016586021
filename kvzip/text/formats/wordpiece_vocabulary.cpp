#include "kvzip/text/formats/wordpiece_vocabulary.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "kvzip/base/error.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

namespace kvzip {
namespace {

using nlohmann::json;

constexpr size_t kMostTokens = size_t{1} << 22U;
constexpr size_t kLongestWord = 100;  // characters; longer ones are unknown
constexpr std::array<std::string_view, 5> kSpecial = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

json ids_of_lines(std::string_view name, std::string_view text) {
  json ids = json::object();
  for (size_t number = 0; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (number == kMostTokens)
      throw Error(ErrorCode::input, fmt::format("{}: expected at most {} tokens", name, number));
    if (!ids.emplace(line, number).second) {
      throw Error(ErrorCode::input, fmt::format("{}: line {}: expected a token that is not yet there, found {}", name,
                                                number + 1, quote(line)));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return ids;
}

json added_token(std::string_view token, const json& id) {
  return {{"id", id},        {"content", token},    {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

}  // namespace

std::unique_ptr<Tokenizer> parse_wordpiece_vocabulary(std::string_view name, std::string_view bytes,
                                                      const WordPieceOptions& options) {
  const json ids = ids_of_lines(name, bytes);
  for (const std::string_view needed : {"[UNK]", "[CLS]", "[SEP]"}) {
    if (!ids.contains(needed))
      throw Error(ErrorCode::input, fmt::format("{}: expected a line {}, found none", name, needed));
  }
  json added = json::array();
  for (const std::string_view token : kSpecial) {
    if (const auto found = ids.find(token); found != ids.end()) added.push_back(added_token(token, *found));
  }
  const json document = {{"version", "1.0"},
                         {"added_tokens", added},
                         {"normalizer",
                          {{"type", "BertNormalizer"},
                           {"clean_text", true},
                           {"handle_chinese_chars", options.chinese_chars},
                           {"strip_accents", options.strip_accents ? json(*options.strip_accents) : json()},
                           {"lowercase", options.lowercase}}},
                         {"pre_tokenizer", {{"type", "BertPreTokenizer"}}},
                         {"post_processor",
                          {{"type", "BertProcessing"},
                           {"sep", json::array({"[SEP]", ids["[SEP]"]})},
                           {"cls", json::array({"[CLS]", ids["[CLS]"]})}}},
                         {"decoder", {{"type", "WordPiece"}, {"prefix", "##"}, {"cleanup", true}}},
                         {"model",
                          {{"type", "WordPiece"},
                           {"unk_token", "[UNK]"},
                           {"continuing_subword_prefix", "##"},
                           {"max_input_chars_per_word", kLongestWord},
                           {"vocab", ids}}}};
  // What is no UTF-8 in the file can't be a token's spelling.
  return parse_tokenizer_json(name, document.dump(-1, ' ', false, json::error_handler_t::replace));
}

std::unique_ptr<Tokenizer> read_wordpiece_vocabulary(const std::string& path, const WordPieceOptions& options) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return parse_wordpiece_vocabulary(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options);
}

}  // namespace kvzip
