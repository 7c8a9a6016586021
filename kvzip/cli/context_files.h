// What commands do with context files: read one for answering, write one. Stateless.
#pragma once

#include <optional>
#include <string>

#include "kvzip/cli/engine.h"
#include "kvzip/store/context_file.h"
#include "kvzip/store/context_writer.h"

namespace kvzip::cli {

/// The key in the file that --key names; none where it names none.
std::optional<ContextKey> load_key(const std::string& key_file);

/// Opens the context file that the user named in place of a document. Throws Error{usage} where the flags ask for
/// another way of scoring than the one it was made with.
ContextFile open_named_file(const std::string& path, const std::string& key_file, const KeepFlags& keep);

/// A context that was read from a file.
struct OpenedContext {
  std::string path;
  ContextDescription description;
  Context context;
  double ratio = 1;  ///< of the document's pairs, that are used
  uint64_t file_bytes = 0;
  uint64_t bytes_read = 0;  ///< of them
  double seconds = 0;
};

/// How a document's context is asked for.
struct ContextRequest {
  const KeepFlags* keep = nullptr;    ///< without --keep: all that the file holds
  const HeadScores* heads = nullptr;  ///< of --head-scores
  const ReadingFlags* reading = nullptr;
};
/// Opens the file for the model: throws Error{input} where it was made with another one, Error{usage} where it holds
/// less than `request` asks for, or holds it in another type.
OpenedContext open_context(const Engine& engine, const ContextFile& file, const ContextRequest& request,
                           ProgressBar& bar);
/// Throws Error{usage} where --kv-type names another type than the file's.
void require_kv_type(const ContextFile& file, const ReadingFlags& reading);
/// The cut that the flags ask of a file.
StoredCut stored_cut(const ContextFile& file, const KeepFlags& keep, const HeadScores* heads);

/// A document that is about to be compressed, as a file will name it.
struct DocumentSource {
  std::vector<TokenId> system;
  std::vector<TokenId> document;
  std::string text;
  std::string title;  ///< the name of its file
};
DocumentSource source_of(std::vector<TokenId> system, std::vector<TokenId> document, const std::string& path,
                         std::string text);
ContextOrigin origin_of(const Engine& engine, const DocumentSource& source, const KeepFlags& keep, double ratio);

}  // namespace kvzip::cli
