// `kvzip scores`: what a document's compression keeps, and files of its scores.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <optional>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/head_scores_file.h"
#include "kvzip/cli/heat_map.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/table.h"
#include "kvzip/policy/kept_pairs.h"

namespace kvzip::cli {
namespace {

struct ScoresFlags {
  std::vector<std::string> files;
  std::string out;
  std::string save_head_scores;
  bool overlap = false;
  EngineFlags engine;
  ReadingFlags reading;
  KeepFlags keep;
  OutputFlags output;
};

/// Fraction of the pairs that exact scoring keeps at a ratio which the scoring chosen keeps too.
struct Overlap {
  double keep;
  double common;
};

struct FileScores {
  std::string name;
  size_t tokens = 0;
  std::vector<size_t> layers;  // numbers of the scored ones
  CacheBytes bytes;
  ScoredDocument scored;
  std::vector<Overlap> overlaps;  // none unless asked for
};

void check_flags(const ScoresFlags& flags) {
  flags.keep.amount();
  if (flags.keep.is_automatic()) throw Error(ErrorCode::usage, "--keep auto: only where a document is compressed");
  if (flags.files.size() > 1 && !flags.out.empty())
    throw Error(ErrorCode::usage, "--out: expected one FILE to score, found several");
  if (!flags.out.empty()) require_writable(flags.out);
  if (!flags.save_head_scores.empty()) require_writable(flags.save_head_scores);
}

Json json_of_file(const FileScores& file) {
  const Selection& selection = file.scored.selection;
  Json json = {{"document", file.name},
               {"document_tokens", file.tokens},
               {"scoring_seconds", file.scored.seconds},
               {"keep", file.scored.ratio},
               {"kept_ratio", selection.keep.ratio()},
               {"threshold", selection.threshold},
               {"kv_bytes_full", file.bytes.kept(1)},
               {"kv_bytes_kept", file.bytes.kept(selection.keep.ratio())},
               {"layers", file.layers},
               {"kept_per_head", to_json(selection.keep)}};
  for (const Overlap& overlap : file.overlaps)
    json["overlap"].push_back({{"keep", overlap.keep}, {"common", overlap.common}});
  return json;
}

void print(const FileScores& file, const KeepFlags& keep) {
  const TableLook look{terminal_width(stdout), wants_colours(stdout)};
  const Selection& selection = file.scored.selection;
  const std::string title =
      fmt::format("{}: {}, kept per layer and KV head in %", file.name, counted(file.tokens, "token"));
  fmt::print("{}\n\n{}\n", styled(title, Style::heading, look.colours), heat_map(selection.keep, file.layers, look));
  fmt::print("method {}, level {}, kept {} of the pairs (asked for {}), score threshold {:.3g}\n", keep.method,
             keep.level, format_percent(selection.keep.ratio()), format_percent(file.scored.ratio),
             selection.threshold);
  fmt::print("keys and values {} of {}\n", format_bytes(file.bytes.kept(selection.keep.ratio())),
             format_bytes(file.bytes.kept(1)));
  if (file.overlaps.empty()) return;
  Table table({{"kept"}, {"pairs in common with kvzip, exact", Align::right}});
  for (const Overlap& overlap : file.overlaps) {
    table.add({format_percent(overlap.keep), format_percent(overlap.common)});
  }
  fmt::print("\n{}", table.render(look));
}

std::vector<Overlap> overlaps_with_exact(const Engine& engine, const Reading& reading, const Scores& scores,
                                         const ScoresFlags& flags, ProgressBar& bar) {
  const Level level = level_by_name(flags.keep.level);
  const Scores exact = score(engine.model, reading, {.batch = flags.reading.batch, .progress = bar.stage("exactly")});
  const auto mask = [&](const Scores& by, double ratio) { return kept_mask(by, select(by, level, ratio).keep); };
  std::vector<Overlap> found;
  for (const double ratio : {0.5, 0.3, 0.2, 0.1}) {
    found.push_back({ratio, share_in_common(mask(scores, ratio), mask(exact, ratio))});
  }
  return found;
}

FileScores score_file(const Engine& engine, const std::string& path, const std::string& text, const ScoresFlags& flags,
                      const HeadScores* heads, ProgressBar& bar) {
  const ReadDocument document = read(engine, path, text, flags.reading, bar);
  const Reading& reading = document.reading;
  const CacheShape shape = reading.context_shape();
  FileScores file{document_name(path),
                  reading.document.size(),
                  shape.global_layers(),
                  cache_bytes(shape, reading.system.size(), reading.document.size()),
                  score_and_select(engine, document, flags.reading, flags.keep, heads, bar),
                  {}};
  if (flags.overlap) file.overlaps = overlaps_with_exact(engine, reading, file.scored.scores, flags, bar);
  return file;
}

void run_scores(const ScoresFlags& flags) {
  check_flags(flags);
  std::optional<HeadScores> heads;
  if (!flags.keep.head_scores.empty()) heads = load_head_scores(flags.keep.head_scores);
  std::vector<std::string> texts;
  texts.reserve(flags.files.size());
  for (const std::string& file : flags.files) texts.push_back(read_document(file));
  ProgressBar bar(flags.output.quiet);
  Engine engine = load_engine(flags.engine, bar);
  load_gate(engine, flags.keep.gate);
  std::optional<HeadScores> merged;
  Json json = Json::array();
  for (size_t i = 0; i < flags.files.size(); ++i) {
    const FileScores file = score_file(engine, flags.files[i], texts[i], flags, heads ? &*heads : nullptr, bar);
    const Scores& scores = file.scored.scores;
    if (!merged) {
      merged = head_scores(scores);
    } else {
      merge_head_scores(*merged, head_scores(scores));
    }
    if (!flags.out.empty()) save_scores(flags.out, scores, file.scored.selection.keep, file.layers);
    if (flags.output.json) {
      json.push_back(json_of_file(file));
    } else {
      if (i > 0) fmt::print("\n");
      print(file, flags.keep);
    }
  }
  if (!flags.save_head_scores.empty()) save_head_scores(flags.save_head_scores, *merged);
  if (flags.output.json) {
    print_json({{"method", flags.keep.method},
                {"scoring", flags.keep.scoring},
                {"level", flags.keep.level},
                {"documents", json}});
  }
}

}  // namespace

std::function<void()> add_scores(CLI::App& command) {
  const auto flags = std::make_shared<ScoresFlags>();
  command.add_option("FILE", flags->files, "Documents; - is standard input")->required();
  command.add_option("--out", flags->out, "Write scores and kept pairs to a safetensors file");
  command.add_option("--save-head-scores", flags->save_head_scores,
                     "Write the highest score of each head over all FILEs, for --level head");
  command.add_flag(
      "--overlap", flags->overlap,
      "Also score exactly by kvzip, and show how many of the pairs kept at 0.5, 0.3, 0.2 and 0.1 are the same");
  add_keep_options(command, flags->keep);
  add_engine_options(command, flags->engine);
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "By kvzip, a pair's score is the largest share of attention that any token gives it while the model repeats the "
      "document.\n"
      "Only layers that see the whole document are scored; sliding layers keep their window.\n\n"
      "Examples:\n"
      "  kvzip scores report.txt --keep 0.3                       a heat map\n"
      "  kvzip scores report.txt --scoring local --overlap         faster scoring, beside the exact one\n"
      "  kvzip scores report.txt --method snapkv --overlap         another method, beside KVzip\n"
      "  kvzip scores report.txt --out scores.safetensors          score [layers, kv_heads, tokens], valid (1 = kept)\n"
      "  kvzip scores a.txt b.txt --save-head-scores heads.safetensors\n"
      "  kvzip ask c.txt --level head --head-scores heads.safetensors --keep 0.6 \"Who?\"\n");
  return [flags] { run_scores(*flags); };
}

}  // namespace kvzip::cli
