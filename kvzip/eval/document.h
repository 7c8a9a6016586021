// What an evaluation asks: documents with questions and right answers, wherever they come from.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/eval/function_match.h"
#include "kvzip/eval/metrics.h"

namespace kvzip {

struct EvalQuestion {
  std::string text;    ///< as the document's author asks it, without the prompt's words around it
  std::string answer;  ///< the right one, never blank
  Metric metric = Metric::include;
  std::shared_ptr<const CodeFunctions> functions = {};  ///< of Metric::repoqa: all that the document asks for
  std::string function = {};                            ///< the name of this question's
};

/// A value in [0, 1] by the question's metric; see metrics.h.
double grade(const EvalQuestion& question, std::string_view answer);

struct EvalDocument {
  std::string context;
  std::vector<EvalQuestion> questions;
  std::optional<double> depth = {};  ///< where the needle lies, 0 = at the beginning, 1 = at the end
  size_t target_tokens = 0;          ///< the length that was asked for; 0 = as it is
};

/// Documents by number. Const access is safe from any number of threads.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;
  /// Nothing: as many as anybody wants.
  virtual std::optional<size_t> size() const = 0;
  /// The document `index` < size(); the same each time, whatever else was asked for.
  virtual EvalDocument document(size_t index) const = 0;
};

/// Tokens of a text, by the model's tokenizer.
using CountTokens = std::function<size_t(std::string_view text)>;

}  // namespace kvzip
