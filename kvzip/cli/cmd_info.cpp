// `kvzip info`: a model file in figures, or the families and names there are.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/context_files.h"
#include "kvzip/cli/context_report.h"
#include "kvzip/cli/model_report.h"

namespace kvzip::cli {
namespace {

struct InfoFlags {
  EngineFlags engine;
  ReadingFlags reading;
  std::string keep = "0.3";
  size_t tokens = 0;
  std::string key;
  bool text = false;
  OutputFlags output;
};

/// Where the model of that name lies; empty where it isn't installed.
std::string place_of(std::string_view name) {
  try {
    return find_model(name);
  } catch (const Error&) {
    return {};
  }
}

void list_models(const TableLook& look, bool json) {
  Table families({{"Family"}, {"Models", Align::left, true}});
  Table names({{"Name"}, {"Model"}, {"Place", Align::left, true}});
  Json report = {{"families", Json::array()}, {"names", Json::array()}};
  for (const Arch& arch : archs()) {
    families.add({std::string(arch.name), std::string(arch.title)});
    report["families"].push_back({{"name", arch.name}, {"title", arch.title}});
  }
  for (const KnownModel& model : known_models()) {
    const std::string place = place_of(model.name);
    names.add({std::string(model.name), std::string(model.id), place.empty() ? "not here" : place});
    report["names"].push_back({{"name", model.name}, {"id", model.id}, {"path", place.empty() ? Json() : Json(place)}});
  }
  if (json) {
    print_json(report);
  } else {
    fmt::print("{}\n{}{}\n", families.render(look), names.render(look),
               styled("Nothing is downloaded: `hf download MODEL` brings one.", Style::dim, look.colours));
  }
}

void describe_context(const InfoFlags& flags, const TableLook& look) {
  const ContextFile file = ContextFile::open(flags.engine.model, {.key = load_key(flags.key)});
  if (flags.text) {
    fmt::print("{}", file.text());
  } else if (flags.output.json) {
    print_json(to_json(file));
  } else {
    fmt::print("{}", to_text(file, look));
  }
}

void run_info(const InfoFlags& flags) {
  const TableLook look{terminal_width(stdout), wants_colours(stdout)};
  if (flags.engine.model.empty()) {
    list_models(look, flags.output.json);
    return;
  }
  if (is_context_file(flags.engine.model)) return describe_context(flags, look);
  if (flags.engine.model.ends_with(".kvz")) {  // no model has such a name: this says what is wrong with the file
    ContextFile::open(flags.engine.model);
  }
  if (flags.text) throw Error(ErrorCode::usage, "--text: only for context files (.kvz)");
  const KeepAmount keep = parse_keep(flags.keep);
  ProgressBar silent_bar(true);
  const Engine engine = load_engine(flags.engine, silent_bar);
  const ModelReport report = describe(engine.model, flags.reading, keep, flags.tokens);
  if (flags.output.json) {
    print_json(to_json(report));
  } else {
    fmt::print("{}", to_text(report, look));
  }
}

}  // namespace

std::function<void()> add_info(CLI::App& command) {
  const auto flags = std::make_shared<InfoFlags>();
  flags->engine.model.clear();
  flags->engine.encoders = true;
  command.add_option("MODEL,-m,--model", flags->engine.model,
                     "A GGUF file, a folder, a name or a .kvz file; without one, lists families and names");
  command.add_flag("--text", flags->text, "Only print the text of the document that a .kvz file was made of");
  add_key_option(command, flags->key);
  command.add_option("-k,--keep", flags->keep, "What is KEPT, for the memory table: 0.3, 30%, 200MiB or 1500tokens")
      ->capture_default_str();
  command.add_option("--tokens", flags->tokens, "Length of the document; 0 = a table of lengths")
      ->check(CLI::Range(size_t{0}, size_t{1} << 30U));
  command.add_option("--template", flags->engine.chat_template, "Chat template, whose system prompt is never dropped");
  add_device_option(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "Examples:\n"
      "  kvzip info                                   families and names\n"
      "  kvzip info smollm2\n"
      "  kvzip info report.kvz                         what a context file holds\n"
      "  kvzip info model.gguf --tokens 100000 -k 0.2  what a document of 100,000 tokens will need\n");
  return [flags] { run_info(*flags); };
}

}  // namespace kvzip::cli
