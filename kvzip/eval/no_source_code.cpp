// Stands in for source_code.cpp where there is no tree-sitter.
#include "kvzip/base/error.h"
#include "kvzip/eval/source_code.h"

namespace kvzip {
namespace {

[[noreturn]] void fail() {
  throw Error(ErrorCode::unsupported,
              "scbench_repoqa: this build can't parse programs; build it where tree-sitter and the Python package "
              "tree-sitter-languages are (scripts/setup --tests)");
}

}  // namespace

bool parses_source_code() { return false; }

bool is_code_language(std::string_view /*language*/) { fail(); }

std::optional<std::string_view> first_function(std::string_view /*language*/, std::string_view /*code*/) { fail(); }

std::string without_comments(std::string_view /*language*/, std::string_view /*code*/) { fail(); }

}  // namespace kvzip
