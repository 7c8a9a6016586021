// Documents with short questions whose answers they state: the set that ships with the program (data/qa), and folders
// of the same form. Stateless.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/eval/document.h"

namespace kvzip {

/// The JSON text of one document that ships with the program, with the name of its file.
struct ShippedDocument {
  std::string_view name;
  std::string_view json;
};
std::span<const ShippedDocument> shipped_documents();

/// `{"context": ..., "questions": [{"question": ..., "answer": ...}, ...]}`. Throws Error{input} naming `file` and what
/// is missing or empty.
EvalDocument parse_qa_document(const std::string& file, std::string_view json_text);

/// All that ship, by name.
std::vector<EvalDocument> shipped_qa_documents();

/// The document in the file at `path`, or those in the folder's *.json, by name. Throws Error{input}.
std::vector<EvalDocument> read_qa_documents(const std::string& path);

}  // namespace kvzip
