// `kvzip check`: what a document's compression costs, without any questions.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/ratio_list.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/table.h"
#include "kvzip/eval/fidelity.h"

namespace kvzip::cli {
namespace {

struct CheckFlags {
  std::string file;
  std::string ratios = "0.7,0.5,0.3,0.2,0.1";
  std::string level = "pair";
  std::string scoring = "exact";
  std::string gate;
  double most = 0.1;
  size_t chunk_tokens = 256;
  EngineFlags engine;
  ReadingFlags reading;
  OutputFlags output;
};

void print(const std::vector<Fidelity>& all, double smallest, double most) {
  const TableLook look{.width = terminal_width(stdout), .colours = wants_colours(stdout)};
  Table table({{"kept", Align::right},
               {"loss", Align::right},
               {"more than full", Align::right},
               {"KL", Align::right},
               {"same token", Align::right},
               {"KV", Align::right}});
  for (size_t i = 0; i < all.size(); ++i) {
    const Fidelity& each = all[i];
    table.add({i == 0 ? "full" : format_percent(each.ratio), fmt::format("{:.4f}", each.loss),
               fmt::format("{:+.4f}", each.loss - all.front().loss), fmt::format("{:.4f}", each.divergence),
               format_percent(each.same_top), format_bytes(each.kv_bytes)});
  }
  fmt::print("{}\nsmallest of these ratios within {:g} nats of the full memory: --keep {:g}\n", table.render(look),
             most, smallest);
}

void print_as_json(const std::vector<Fidelity>& all, const std::string& scoring, double smallest) {
  Json entries = Json::array();
  for (const Fidelity& each : all) {
    entries.push_back({{"ratio", each.ratio},
                       {"kept", each.kept},
                       {"kv_bytes", each.kv_bytes},
                       {"loss", each.loss},
                       {"kl", each.divergence},
                       {"same_top", each.same_top}});
  }
  print_json({{"scoring", scoring}, {"memories", entries}, {"smallest_ratio", smallest}});
}

/// Those that fell out of the reading, where the engine has a gate.
Scores scores_of(const Engine& engine, const ReadDocument& document, const CheckFlags& flags, ProgressBar& bar) {
  if (document.scores) return *document.scores;
  return score(
      engine.model, document.reading,
      {.scoring = scoring_by_name(flags.scoring), .batch = flags.reading.batch, .progress = bar.stage("scoring")});
}

void run_check(const CheckFlags& flags) {
  check_gate(flags.gate, flags.scoring);
  FidelityOptions options{.level = level_by_name(flags.level),
                          .ratios = parse_ratios(flags.ratios),
                          .chunk_tokens = flags.chunk_tokens,
                          .progress = {}};
  const std::string text = read_document(flags.file);
  ProgressBar bar(flags.output.quiet);
  Engine engine = load_engine(flags.engine, bar);
  load_gate(engine, flags.gate);
  ReadDocument document = read(engine, flags.file, text, flags.reading, bar);
  Scores scores = scores_of(engine, document, flags, bar);
  const std::vector<TokenId> ids = document.reading.document;
  const Context context = compress(engine.model, std::move(document.reading), std::move(scores), 1.0);
  options.progress = bar.stage("checking");
  const std::vector<Fidelity> all = check_fidelity(engine.model, context, ids, options);
  const double smallest = smallest_ratio_within(all, flags.most);
  const std::string& scoring = engine.gate ? engine.gate_name : flags.scoring;
  flags.output.json ? print_as_json(all, scoring, smallest) : print(all, smallest, flags.most);
}

}  // namespace

std::function<void()> add_check(CLI::App& command) {
  const auto flags = std::make_shared<CheckFlags>();
  command.add_option("FILE", flags->file, "The document; - is standard input")->required();
  command.add_option("--ratios", flags->ratios, "Fractions KEPT, set apart by commas")->capture_default_str();
  command.add_option("--level", flags->level, "pair, pair-uniform or head, as for `kvzip ask`")
      ->check(CLI::IsMember({"pair", "pair-uniform", "head"}))
      ->capture_default_str();
  add_gate_option(command, flags->gate, flags->scoring);
  command.add_option("--scoring", flags->scoring, "exact, local or gate, as for `kvzip ask`")
      ->check(CLI::IsMember({"exact", "local", "gate"}))
      ->capture_default_str();
  command.add_option("--loss", flags->most, "Loss in nats per token that a ratio may cost to be named")
      ->check(not_negative())
      ->capture_default_str();
  command.add_option("--sample", flags->chunk_tokens, "Tokens at the beginning of every 2,000 that are repeated")
      ->check(whole(1, 2000))
      ->capture_default_str();
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "The document's own tokens are predicted from each memory while it repeats them. Loss is their mean negative "
      "log-probability,\nKL the distance from the full memory's predictions. It needs no questions, and no answers are "
      "judged.\n\n"
      "Examples:\n"
      "  kvzip check report.txt                        which ratio this document bears\n"
      "  kvzip check report.txt --gate g.safetensors   what it costs to choose by a gate\n"
      "  kvzip check report.txt --loss 0.02 --json     for scripts: `smallest_ratio` goes to `kvzip ask --keep`\n");
  return [flags] { run_check(*flags); };
}

}  // namespace kvzip::cli
