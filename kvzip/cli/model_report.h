// What `kvzip info` knows about a model. Stateless.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "kvzip/cli/json_output.h"
#include "kvzip/cli/table.h"

namespace kvzip::cli {

struct TypeShare {
  size_t tensors = 0;
  size_t values = 0;
  size_t bytes = 0;
};

/// Memory for a document of so many tokens, the system prompt among them.
struct DocumentMemory {
  size_t tokens = 0;
  size_t kv_full = 0;
  size_t kv_kept = 0;
  size_t peak = 0;  ///< while reading and scoring, beside the model
};

struct ModelReport {
  const Model* model = nullptr;
  DType kv_type = DType::f16;
  double ratio = 1;
  std::map<std::string, TypeShare> types;  ///< by name of the weight type
  std::vector<DocumentMemory> documents;
};

/// `tokens` 0 makes a small table up to the model's context length. `ratio` is the fraction kept.
ModelReport describe(const Model& model, const ReadingFlags& reading, const KeepAmount& keep, size_t tokens);
std::string to_text(const ModelReport& report, const TableLook& look);
Json to_json(const ModelReport& report);

}  // namespace kvzip::cli
