#include "kvzip/cli/document_store.h"

#include <fmt/format.h>

#include "kvzip/cli/format.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/store/context_address.h"
#include "kvzip/store/fingerprint.h"

namespace kvzip::cli {
namespace {

/// The context if it holds the fraction that `wanted(its description)` says.
template <class Wanted>
std::optional<ContextFile> find_holding(ContextStore& store, const std::string& address, const Wanted& wanted) {
  std::optional<ContextFile> file = store.find(address);
  if (!file) return std::nullopt;
  expect_named(*file, address);
  if (wanted(file->description()) > file->description().ratio) return std::nullopt;  // more of it is stored then
  return file;
}

}  // namespace

DocumentStore::DocumentStore(const StoreFlags& flags, ProgressBar& bar) : bar_(&bar) {
  try {
    store_ = open_store(flags);
  } catch (const Error& error) {
    if (!flags.place.empty() || error.code() == ErrorCode::usage) throw;
    bar.note("store", fmt::format("not used: {}", error.what()));
  }
}

std::optional<OpenedContext> DocumentStore::open(const Engine& engine, const std::string& address,
                                                 const KeepFlags& keep, const ReadingFlags& reading) {
  try {
    const auto file = find_kept(*store_, address, keep);
    if (!file) return std::nullopt;
    KeepFlags asked = keep;
    asked.keep_given = true;
    OpenedContext opened = open_context(engine, *file, {&asked, nullptr, &reading}, *bar_);
    store_->touch(address);
    return opened;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::input) throw;
    bar_->note("store", fmt::format("{}; the document is read again", error.what()));
    return std::nullopt;
  }
}

void DocumentStore::add(const std::string& address, const Context& context, const ContextOrigin& origin) {
  try {
    add_to_store(*store_, address, context, origin, ContextStore::Pin::no, *bar_);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    bar_->note("store", fmt::format("not stored: {}", error.what()));
  }
}

std::string document_address(const Engine& engine, std::string_view text, const KeepFlags& keep,
                             const ReadingFlags& reading) {
  return context_address(fingerprint_of(engine.model), system_ids(engine.model), engine.model.tokenizer().encode(text),
                         {.kv_type = reading.dtype(),
                          .level = level_by_name(keep.level),
                          .scoring = keep.scored_by(engine.gate_name),
                          .exact_weights = engine.exact});
}

std::optional<ContextFile> find_kept(ContextStore& store, const std::string& address, const KeepFlags& keep) {
  return find_holding(store, address, [&](const ContextDescription& about) {
    return keep_ratio(keep.amount(), about.shape, about.system_tokens, about.held.len);
  });
}

std::optional<ContextFile> find_kept(ContextStore& store, const std::string& address, double ratio) {
  return find_holding(store, address, [&](const ContextDescription&) { return ratio; });
}

uint64_t add_to_store(ContextStore& store, const std::string& address, const Context& context,
                      const ContextOrigin& origin, ContextStore::Pin pin, ProgressBar& bar) {
  const Stopwatch watch;
  uint64_t bytes = 0;
  store.add(
      address,
      [&](ByteSink& out, uint64_t most_bytes) {
        bytes = write_context(
            out, origin.title, context, origin,
            {.key = store.options().key, .most_bytes = most_bytes, .progress = bar.stage("storing", "byte")});
      },
      pin);
  bar.note("store", fmt::format("{} in {}: {}", format_bytes(bytes), format_seconds(watch.seconds()),
                                store.place() + "/" + address.substr(0, 8)));
  return bytes;
}

}  // namespace kvzip::cli
