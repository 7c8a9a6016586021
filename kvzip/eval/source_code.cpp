#include "kvzip/eval/source_code.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <tree_sitter/api.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

/// What RepoQA (Liu et al. 2024) takes for functions and comments, as tree-sitter's queries.
struct Grammar {
  std::string_view name;
  const char* symbol;
  std::string_view function;
  std::string_view comment;
};

constexpr std::string_view kComment = "(comment) @found";
constexpr std::string_view kLineOrBlock = "[(line_comment) (block_comment)] @found";
constexpr std::array<Grammar, 6> kGrammars = {
    {{"cpp", "tree_sitter_cpp",
      "(function_definition declarator: (function_declarator declarator: (identifier))) @found", kComment},
     {"go", "tree_sitter_go", "(function_declaration name: (_)) @found", kComment},
     {"java", "tree_sitter_java", "(method_declaration name: (_)) @found", kLineOrBlock},
     {"python", "tree_sitter_python", "(function_definition name: (_)) @found",
      "(block (expression_statement (string) @found)) (comment) @found"},
     {"rust", "tree_sitter_rust", "(function_item name: (_)) @found", kLineOrBlock},
     {"typescript", "tree_sitter_typescript", "(function_declaration name: (_)) @found", kComment}}};

template <auto kDelete>
struct Deleter {
  template <class T>
  void operator()(T* object) const {
    kDelete(object);
  }
};
using Parser = std::unique_ptr<TSParser, Deleter<ts_parser_delete>>;
using Tree = std::unique_ptr<TSTree, Deleter<ts_tree_delete>>;
using Query = std::unique_ptr<TSQuery, Deleter<ts_query_delete>>;
using QueryCursor = std::unique_ptr<TSQueryCursor, Deleter<ts_query_cursor_delete>>;

const Grammar& grammar_of(std::string_view name) {
  const auto* const found = std::ranges::find(kGrammars, name, &Grammar::name);
  check(found != kGrammars.end(), "a language that is_code_language() knows");
  return *found;
}

/// Opened once and never closed.
const TSLanguage* language_of(const Grammar& grammar) {
  static void* const kLibrary = dlopen(KVZIP_GRAMMARS, RTLD_LAZY | RTLD_LOCAL);
  using Make = const TSLanguage* (*)();
  const auto make = kLibrary == nullptr ? nullptr : reinterpret_cast<Make>(dlsym(kLibrary, grammar.symbol));
  if (make == nullptr) {
    throw Error(ErrorCode::unsupported,
                fmt::format("{}: expected the grammars of the Python package tree-sitter-languages, found none "
                            "(scripts/setup --tests installs it)",
                            KVZIP_GRAMMARS));
  }
  return make();
}

/// Made once for each language: that takes milliseconds, and longer than to parse an answer.
const TSQuery* query_of(const TSLanguage* language, std::string_view text) {
  static std::mutex mutex;
  static std::map<std::pair<const TSLanguage*, std::string_view>, Query> made;
  const std::scoped_lock lock(mutex);
  Query& query = made[{language, text}];
  if (query == nullptr) {
    uint32_t error_at = 0;
    TSQueryError error{};
    query.reset(ts_query_new(language, text.data(), static_cast<uint32_t>(text.size()), &error_at, &error));
  }
  check(query != nullptr, "a query that the grammar knows");
  return query.get();
}

struct Extent {
  size_t begin;
  size_t end;
};

/// Where the nodes are that the query finds, in the order in which they begin.
std::vector<Extent> find_nodes(const Grammar& grammar, std::string_view query_text, std::string_view code) {
  check(code.size() <= std::numeric_limits<uint32_t>::max(), "a text that a grammar can count");
  const TSLanguage* const language = language_of(grammar);
  const Parser parser(ts_parser_new());
  check(ts_parser_set_language(parser.get(), language), "a grammar of a version that tree-sitter knows");
  const Tree tree(ts_parser_parse_string(parser.get(), nullptr, code.data(), static_cast<uint32_t>(code.size())));
  const QueryCursor cursor(ts_query_cursor_new());
  ts_query_cursor_exec(cursor.get(), query_of(language, query_text), ts_tree_root_node(tree.get()));
  std::vector<Extent> found;
  TSQueryMatch match{};
  uint32_t capture = 0;
  while (ts_query_cursor_next_capture(cursor.get(), &match, &capture)) {
    const TSNode node = match.captures[capture].node;
    found.push_back({ts_node_start_byte(node), ts_node_end_byte(node)});
  }
  std::ranges::stable_sort(found, {}, &Extent::begin);
  return found;
}

}  // namespace

bool parses_source_code() { return true; }

bool is_code_language(std::string_view language) {
  return std::ranges::find(kGrammars, language, &Grammar::name) != kGrammars.end();
}

std::optional<std::string_view> first_function(std::string_view language, std::string_view code) {
  const Grammar& grammar = grammar_of(language);
  const std::vector<Extent> found = find_nodes(grammar, grammar.function, code);
  if (found.empty()) return std::nullopt;
  return code.substr(found.front().begin, found.front().end - found.front().begin);
}

std::string without_comments(std::string_view language, std::string_view code) {
  const Grammar& grammar = grammar_of(language);
  std::string rest;
  size_t at = 0;
  for (const Extent& each : find_nodes(grammar, grammar.comment, code)) {
    if (each.begin < at) continue;  // inside one that has gone
    rest += code.substr(at, each.begin - at);
    at = each.end;
  }
  return rest.append(code.substr(at));
}

}  // namespace kvzip
