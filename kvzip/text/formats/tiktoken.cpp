#include "kvzip/text/formats/tiktoken.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "kvzip/base/error.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/formats/base64.h"
#include "kvzip/text/formats/tiktoken_tokenizer.h"

namespace kvzip {

namespace {

/// Ids beyond what any vocabulary has: memory is needed for all below the largest.
constexpr size_t kMostIds = size_t{1} << 22U;

struct Ranked {
  std::string bytes;
  size_t rank;
  size_t line;
};

[[noreturn]] void fail(std::string_view name, size_t line, std::string_view expected, std::string_view found) {
  throw Error(ErrorCode::input, fmt::format("{}: line {}: expected {}, found {}", name, line, expected, found));
}

Ranked parse_line(std::string_view name, std::string_view line, size_t number) {
  const size_t space = line.find(' ');
  const auto bytes = decode_base64(line.substr(0, space));
  if (!bytes || bytes->empty() || space == std::string_view::npos) {
    fail(name, number, "a token in Base64 and its rank", quote(line));
  }
  const std::string_view digits = line.substr(space + 1);
  const auto rank = parse_number<size_t>(digits);
  if (!rank || *rank >= kMostIds) fail(name, number, fmt::format("a rank from 0 to {}", kMostIds - 1), quote(digits));
  return {.bytes = *bytes, .rank = *rank, .line = number};
}

std::vector<Ranked> parse_lines(std::string_view name, std::string_view text) {
  std::vector<Ranked> ranked;
  for (size_t number = 1; !text.empty(); ++number) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    if (!line.empty()) ranked.push_back(parse_line(name, line, number));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  if (ranked.empty()) throw Error(ErrorCode::input, fmt::format("{}: expected tokens and ranks, found none", name));
  return ranked;
}

/// Tokens and kinds by id.
struct Tables {
  std::vector<std::string> tokens;
  std::vector<TokenKind> kinds;
};

void add_ranks(std::string_view name, const std::vector<Ranked>& ranked, Tables& tables) {
  std::unordered_map<std::string_view, size_t> lines;
  for (const Ranked& one : ranked) {
    if (tables.kinds[one.rank] == TokenKind::normal)
      fail(name, one.line, "a new rank", fmt::format("{} again", one.rank));
    if (!lines.emplace(one.bytes, one.line).second) {
      fail(name, one.line, fmt::format("another token than in line {}", lines.at(one.bytes)), quote(one.bytes));
    }
    tables.tokens[one.rank] = one.bytes;
    tables.kinds[one.rank] = TokenKind::normal;
  }
  for (unsigned byte = 0; byte < 256; ++byte) {
    const char one = static_cast<char>(byte);
    if (lines.contains(std::string_view(&one, 1))) continue;
    throw Error(ErrorCode::input,
                fmt::format("{}: expected a token for each single byte, found none for 0x{:02X}", name, byte));
  }
}

void add_special_tokens(std::string_view name, const TiktokenOptions& options, Tables& tables) {
  for (const auto& [spelling, id] : options.special_tokens) {
    const auto i = static_cast<size_t>(id);
    if (tables.kinds[i] != TokenKind::unused) {
      throw Error(ErrorCode::input,
                  fmt::format("{}: special token {} of {}: expected an id that no other token has, found {}", name,
                              quote(spelling), quote(options.name), id));
    }
    tables.tokens[i] = spelling;
    tables.kinds[i] = TokenKind::control;
  }
}

}  // namespace

std::unique_ptr<Tokenizer> parse_tiktoken(std::string_view name, std::string_view bytes,
                                          const TiktokenOptions& options) {
  const std::vector<Ranked> ranked = parse_lines(name, bytes);
  size_t ranks = 0;
  for (const Ranked& one : ranked) ranks = std::max(ranks, one.rank + 1);
  size_t ids = ranks;
  for (const auto& [spelling, id] : options.special_tokens) {
    if (id < 0 || static_cast<size_t>(id) >= kMostIds) {
      throw Error(ErrorCode::input, fmt::format("special token {}: expected an id from 0 to {}, found {}",
                                                quote(spelling), kMostIds - 1, id));
    }
    ids = std::max(ids, static_cast<size_t>(id) + 1);
  }
  Tables tables{.tokens = std::vector<std::string>(ids), .kinds = std::vector<TokenKind>(ids, TokenKind::unused)};
  add_ranks(name, ranked, tables);
  add_special_tokens(name, options, tables);
  const auto gap =
      std::find(tables.kinds.begin(), tables.kinds.begin() + static_cast<std::ptrdiff_t>(ranks), TokenKind::unused);
  if (gap != tables.kinds.begin() + static_cast<std::ptrdiff_t>(ranks)) {
    throw Error(ErrorCode::input, fmt::format("{}: expected ranks 0 to {} without a gap, found none of rank {}", name,
                                              ranks - 1, gap - tables.kinds.begin()));
  }
  try {
    return std::make_unique<TiktokenTokenizer>(std::move(tables.tokens), std::move(tables.kinds), options.name,
                                               options.pattern);
  } catch (const Error& error) {
    throw Error(error.code(), std::string(name) + ": " + error.what());
  }
}

std::unique_ptr<Tokenizer> read_tiktoken(const std::string& path, const TiktokenOptions& options) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return parse_tiktoken(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}, options);
}

}  // namespace kvzip
