// `kvzip store`: the documents that were read.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/context_report.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/document_store.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/make_context.h"
#include "kvzip/store/context_address.h"

namespace kvzip::cli {
namespace {

struct StoreCommandFlags {
  StoreFlags store;
  MakeFlags make;
  bool pin = false;
  std::vector<std::string> names;
  std::string most;  ///< of gc; empty = as large as the store may be
  OutputFlags output;
};

std::unique_ptr<ContextStore> the_store(const StoreCommandFlags& flags) {
  auto store = open_store(flags.store);
  if (!store) throw Error(ErrorCode::usage, "store: there is none: name one with --store or in KVZIP_STORE");
  return store;
}

std::string shown_time(int64_t nanoseconds) {
  const std::chrono::sys_seconds time{std::chrono::seconds(nanoseconds / 1'000'000'000)};
  return fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(std::chrono::system_clock::to_time_t(time)));
}

void say_added(const StoreCommandFlags& flags, const std::string& name, bool was_there) {
  if (flags.output.json) {
    print_json({{"name", name}, {"was_there", was_there}, {"pinned", flags.pin}});
  } else {
    fmt::print("{}\n", name);
  }
}

/// Adds contexts of which the store doesn't hold as much already: a smaller cut never takes the place of a larger one.
class Adder {
 public:
  Adder(const StoreCommandFlags& flags, ProgressBar& bar) : flags_(&flags), bar_(&bar), store_(the_store(flags)) {}

  /// Whether the store holds `amount`, a ratio or KeepFlags, of the context: it was used and pinned then. A damaged one
  /// doesn't count.
  template <class Amount>
  bool has(const std::string& name, const Amount& amount) {
    try {
      const auto held = find_kept(*store_, name, amount);
      if (!held) return false;
      bar_->note("store", fmt::format("{} of it is there already", format_percent(held->description().ratio)));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::input) throw;
      bar_->note("store", fmt::format("{}; it is replaced", error.what()));
      return false;
    }
    store_->touch(name);
    if (flags_->pin) store_->pin(name, ContextStore::Pin::yes);
    say_added(*flags_, name, true);
    return true;
  }

  void add(const std::string& name, const Context& context, const ContextOrigin& origin) {
    if (has(name, origin.ratio)) return;
    add_to_store(*store_, name, context, origin, flags_->pin ? ContextStore::Pin::yes : ContextStore::Pin::no, *bar_);
    say_added(*flags_, name, false);
  }

 private:
  const StoreCommandFlags* flags_;
  ProgressBar* bar_;
  std::unique_ptr<ContextStore> store_;
};

void run_add(const StoreCommandFlags& flags) {
  ProgressBar bar(flags.output.quiet);
  Adder adder(flags, bar);
  if (flags.make.keep.is_automatic()) throw Error(ErrorCode::usage, "--keep auto: expected an amount to store");
  if (!flags.make.keep.head_scores.empty())
    throw Error(ErrorCode::usage, "--head-scores: a store knows documents by their own scores only");
  bool exact = false;
  const auto known = [&](const Engine& engine, const std::string& text) {
    exact = engine.exact;
    return adder.has(document_address(engine, text, flags.make.keep, flags.make.reading), flags.make.keep);
  };
  const auto made = [&](const Context& context, const ContextOrigin& origin) {
    const std::string name = context_address(
        origin.fingerprint, origin.system, origin.document,
        {.kv_type = context.shape().dtype, .level = origin.level, .scoring = origin.scoring, .exact_weights = exact});
    adder.add(name, context, origin);
  };
  make_context(flags.make, {.known = known, .made = made}, bar);
}

void run_list(const StoreCommandFlags& flags) {
  const auto store = the_store(flags);
  Table table({{"Name"},
               {"Document", Align::left, true},
               {"tokens", Align::right},
               {"kept", Align::right},
               {"rows"},
               {"size", Align::right},
               {"last used"},
               {""}});
  Json json = Json::array();
  uint64_t total = 0;
  for (const StoreEntry& entry : store->list()) {
    total += entry.bytes;
    Json row = {
        {"name", entry.name}, {"bytes", entry.bytes}, {"used", entry.used / 1'000'000'000}, {"pinned", entry.pinned}};
    std::vector<Cell> cells = {entry.name.substr(0, 8)};
    try {
      const auto file = store->find(entry.name);
      if (!file) continue;
      const ContextDescription& about = file->description();
      row.update({{"title", about.title},
                  {"document_tokens", about.held.len},
                  {"keep", about.ratio},
                  {"level", level_name(about.level)},
                  {"kv_type", dtype_name(about.shape.dtype)},
                  {"model", about.model_name}});
      cells.insert(cells.end(), {one_line(about.title), grouped(about.held.len), format_percent(about.ratio),
                                 std::string(dtype_name(about.shape.dtype))});
    } catch (const Error& error) {
      row["error"] = error.what();
      cells.insert(cells.end(), {Cell(one_line(error.what()), Style::bad), "", "", ""});
    }
    cells.insert(cells.end(), {format_bytes(entry.bytes), shown_time(entry.used), entry.pinned ? "pinned" : ""});
    table.add(cells);
    json.push_back(row);
  }
  if (flags.output.json) {
    print_json(
        {{"store", store->place()}, {"bytes", total}, {"most_bytes", store->options().most_bytes}, {"contexts", json}});
    return;
  }
  if (!json.empty()) fmt::print("{}", table.render({terminal_width(stdout), wants_colours(stdout)}));
  fmt::print("{}: {} of {} in {}\n", store->place(), format_bytes(total), format_bytes(store->options().most_bytes),
             counted(json.size(), "context"));
}

void run_show(const StoreCommandFlags& flags) {
  const auto store = the_store(flags);
  const std::string name = store->resolve(flags.names.front());
  const auto file = store->find(name);
  if (!file) throw Error(ErrorCode::input, name + ": removed just now");
  if (flags.output.json) {
    print_json(to_json(*file));
  } else {
    fmt::print("{}", to_text(*file, {terminal_width(stdout), wants_colours(stdout)}));
  }
}

/// Names are looked up before anything is changed.
template <class Change>
void change_each(const StoreCommandFlags& flags, const Change& change) {
  const auto store = the_store(flags);
  std::vector<std::string> names;
  for (const std::string& name : flags.names) names.push_back(store->resolve(name));
  for (const std::string& name : names) change(*store, name);
  if (flags.output.json) print_json({{"names", names}});
}

void run_gc(const StoreCommandFlags& flags) {
  const auto store = the_store(flags);
  const uint64_t most = flags.most.empty() ? store->options().most_bytes : parse_bytes(flags.most, "--max-size");
  const ContextStore::Freed freed = store->collect(most);
  if (flags.output.json) {
    print_json({{"files", freed.files}, {"bytes", freed.bytes}});
  } else {
    fmt::print("{} removed, {} freed\n", counted(freed.files, "context"), format_bytes(freed.bytes));
  }
}

using Flags = std::shared_ptr<StoreCommandFlags>;

CLI::App* add_command(CLI::App& store, const Flags& flags, const char* name, const char* summary) {
  CLI::App* command = store.add_subcommand(name, summary);
  add_store_place_option(*command, flags->store);
  add_output_options(*command, flags->output);
  return command;
}

void add_names(CLI::App& command, const Flags& flags, int most) {
  command.add_option("NAME", flags->names, "Name, its first digits (four at least), or the document's title")
      ->required()
      ->expected(1, most);
}

void add_add(CLI::App& store, const Flags& flags) {
  CLI::App* add =
      add_command(store, flags, "add", "Read a document, or take a .kvz file, into the store; prints its name");
  add->add_option("FILE", flags->make.file, "The document (- is standard input), or a .kvz file")->required();
  add->add_flag("--pin", flags->pin, "Never evict it");
  add_key_option(*add, flags->make.key);
  add_keep_options(*add, flags->make.keep);
  add_mode_options(*add, flags->make.keep.mode);
  add_engine_options(*add, flags->make.engine);
  add_reading_options(*add, flags->make.reading);
}

}  // namespace

std::function<void()> add_store(CLI::App& command) {
  constexpr int kMostNames = 100'000;
  const auto flags = std::make_shared<StoreCommandFlags>();
  command.require_subcommand(1);
  command.footer(
      "What `ask` and `chat` read they keep here, and find again: the second question about a document starts at once. "
      "Beyond\n$KVZIP_STORE_SIZE (10GiB) the least recently used contexts go, but for pinned ones. A store on a Redis "
      "server is "
      "shared by\nall who use it; with a key in the file $KVZIP_STORE_KEY, only contexts of its holders are opened. A "
      "context of which\nmore is kept takes the place of a smaller one, never the other way round.\n\n"
      "Examples:\n"
      "  kvzip store list\n"
      "  kvzip store add report.txt --keep 0.5 --pin\n"
      "  kvzip store rm report.txt\n"
      "  kvzip store gc --max-size 2GiB\n"
      "  kvzip store list --store redis://:secret@cache.example:6379\n");
  add_add(command, flags);
  add_command(command, flags, "list", "List what is in the store, the last used first");
  add_names(*add_command(command, flags, "show", "Show what a context holds"), flags, 1);
  add_names(*add_command(command, flags, "rm", "Remove contexts"), flags, kMostNames);
  add_names(*add_command(command, flags, "pin", "Never evict these"), flags, kMostNames);
  add_names(*add_command(command, flags, "unpin", "Let them be evicted again"), flags, kMostNames);
  add_command(command, flags, "gc", "Remove what was longest not used")
      ->add_option("--max-size", flags->most, "Bytes that stay, such as 2GiB (default: $KVZIP_STORE_SIZE, or 10GiB)");
  return [flags, &command] {
    const std::string chosen = command.get_subcommands().front()->get_name();
    if (chosen == "add") return run_add(*flags);
    if (chosen == "list") return run_list(*flags);
    if (chosen == "show") return run_show(*flags);
    if (chosen == "gc") return run_gc(*flags);
    change_each(*flags, [&](ContextStore& store, const std::string& name) {
      if (chosen == "rm") return store.remove(name);
      store.pin(name, chosen == "pin" ? ContextStore::Pin::yes : ContextStore::Pin::no);
    });
  };
}

}  // namespace kvzip::cli
