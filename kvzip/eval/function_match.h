// Which of some functions an answer gives: the metric of RepoQA (Liu et al. 2024) as SCBench and the original
// implementation compute it. Immutable; safe from any number of threads.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace kvzip {

/// The functions of a document that are asked for.
struct CodeFunctions {
  struct Function {
    std::string name;
    std::string code;
  };
  std::string language;          ///< one that source_code.h knows
  bool ignore_comments = false;  ///< then none of `functions` has any
  std::vector<Function> functions;
};

struct FunctionMatch {
  std::string_view name;  ///< empty where nothing is alike
  double similarity = 0;  ///< BLEU, in [0, 1]
};

/// What of an answer is compared: the first function in its blocks between lines of ```, else the first block, else all
/// of the answer, stripped.
std::string answered_function(std::string_view language, std::string_view answer);

/// The function that is most like the answer, the first of equal ones; its name is a view into `functions`.
FunctionMatch best_match(const CodeFunctions& functions, std::string_view answer);

/// True where `name` is the best match, with a similarity of at least 0.8.
bool gives_function(const CodeFunctions& functions, std::string_view name, std::string_view answer);

}  // namespace kvzip
