// Data sets in the forms in which they are published, turned into documents by the rules of the original
// implementation. Pure functions of the files; all throw Error{input} naming the file, the line or field, and what was
// expected.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "kvzip/base/json_fields.h"
#include "kvzip/eval/document.h"

namespace kvzip {

/// The rows of a file, each with the place that errors name.
using VisitRow = std::function<void(const JsonFields& row)>;
using RowSource = std::function<void(const VisitRow& visit)>;

/// A JSON object per line; blank lines don't count. `lines` must outlive the result.
RowSource json_lines(const std::string& file, std::string_view lines);

/// SQuAD's JSON (version 1.1 or 2.0): `{"data": [{"paragraphs": [{"context", "qas": [{"question", "answers"}]}]}]}`.
/// One document per different context with all its questions that have an answer; the first answer counts.
std::vector<EvalDocument> squad_documents(const std::string& file, std::string_view json_text);
/// The same from rows of `{"context", "question", "answers": {"text": [...]}}`, as its Parquet files have them.
std::vector<EvalDocument> squad_documents(const std::string& file, const RowSource& rows);

/// GSM8K's rows of `{"question", "answer"}`: the context is all sentences of the question but the last, which is asked.
/// Problems whose context has fewer than 72 tokens are left out.
std::vector<EvalDocument> gsm_documents(const std::string& file, const RowSource& rows, const CountTokens& count);

/// SCBench's rows as the original implementation has them: `{"prompts": [context, question, ...], "ground_truth":
/// [answer,
/// ...]}`; an answer that is a list is joined by ", ". `name` is that of the task without "scbench_", and decides the
/// metric; where rows have `"task": [...]`, each question has its own. For "repoqa" and "repoqa_and_kv" rows also have
/// `"lang"` and `"func_name": [...]`, names of the functions that are the answers. As in SCBench their comments count,
/// unless `name` ends in "_without_comments". Throws Error{unsupported} where those can't be parsed (source_code.h).
std::vector<EvalDocument> scbench_documents(const std::string& file, const RowSource& rows, std::string_view name);

/// A needle in texts of one's own: every .txt of a folder, by name, cut to 500, 2,000 and 8,000 tokens, with the
/// original's needle at 0 to 100 % of each, moved back to the end of a sentence. 33 documents, fewer where the texts
/// are shorter than a length.
std::vector<EvalDocument> read_needle_folder(const std::string& folder, const CountTokens& count);

/// A whole text file of at most 1 GiB.
std::string read_text_file(const std::string& path);

}  // namespace kvzip
