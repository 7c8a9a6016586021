// `kvzip bench`: how fast this machine reads, scores and answers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/cli/bench_ceilings.h"
#include "kvzip/cli/bench_runs.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/table.h"
#include "kvzip/model/shapes.h"

namespace kvzip::cli {
namespace {

struct BenchFlags {
  EngineFlags engine;
  ReadingFlags reading;
  BenchPlan plan;
  std::vector<std::string> only = {"prefill", "scoring", "decode"};
  ModeFlags mode{.mode = "streaming"};  ///< how documents are streamed
  std::string shape;                    ///< of random weights; empty = the model of the flags
  size_t context = 0;                   ///< one length for all parts; 0 = the lengths of the plan
  bool quick = false;
  OutputFlags output;

  bool wants(std::string_view part) const { return std::find(only.begin(), only.end(), part) != only.end(); }
};

struct BenchReport {
  std::vector<PrefillFigure> prefill;
  std::vector<ScoringFigure> scoring;
  std::vector<StreamingFigure> streaming;
  std::vector<DecodeFigure> decode;
  size_t peak_bytes = 0;  ///< of the device's memory, while all this ran
  Ceilings ceilings;
};

double per_token(const Spread& tokens_per_s) { return 1 / tokens_per_s.median; }

/// Bytes per second of passes that read the weights and what is kept once, for all questions together.
double decode_rate(const Model& model, const DecodeFigure& figure) {
  const double seconds = per_token(figure.tokens_per_s) * static_cast<double>(figure.questions);
  return rate(decode_bytes(model, figure.kv_bytes), seconds);
}

std::string text_of(const Spread& spread) {
  return fmt::format("{:.2f}  ({:.2f} to {:.2f})", spread.median, spread.min, spread.max);
}

Json json_of(const Spread& spread) { return {{"median", spread.median}, {"min", spread.min}, {"max", spread.max}}; }

Json json_of(const BenchReport& report, const Engine& engine) {
  Json json = {{"machine", engine.backend->description()},
               {"devices", engine.model.ranks()},
               {"threads", thread_count()},
               {"model", engine.model.source().path()},
               {"load_seconds", engine.load_seconds},
               {"prefill", Json::array()},
               {"scoring", Json::array()},
               {"streaming", Json::array()},
               {"decode", Json::array()}};
  const Model& model = engine.model;
  for (const PrefillFigure& figure : report.prefill) {
    const double seconds = static_cast<double>(figure.tokens) * per_token(figure.tokens_per_s);
    json["prefill"].push_back({{"tokens", figure.tokens},
                               {"tokens_per_s", json_of(figure.tokens_per_s)},
                               {"flop_per_s", rate(prefill_flop(model, figure.tokens), seconds)}});
  }
  for (const ScoringFigure& figure : report.scoring) {
    json["scoring"].push_back({{"kind", scoring_name(figure.scoring)},
                               {"tokens", figure.tokens},
                               {"seconds", json_of(figure.seconds)},
                               {"prefill_seconds", json_of(figure.prefill_seconds)},
                               {"ratio", figure.ratio.median},
                               {"compression_seconds", json_of(figure.compression_seconds)}});
  }
  for (const StreamingFigure& figure : report.streaming) {
    json["streaming"].push_back({{"tokens", figure.tokens},
                                 {"scored_by", figure.gated ? "gate" : "repetition"},
                                 {"seconds", json_of(figure.seconds)},
                                 {"scoring_seconds", json_of(figure.scoring_seconds)},
                                 {"kv_bytes", figure.kv_bytes}});
  }
  for (const DecodeFigure& figure : report.decode) {
    json["decode"].push_back({{"depth", figure.depth},
                              {"keep", figure.keep},
                              {"questions", figure.questions},
                              {"kv_bytes", figure.kv_bytes},
                              {"tokens_per_s", json_of(figure.tokens_per_s)},
                              {"bytes_per_s", decode_rate(model, figure)},
                              {"replayed", figure.replayed}});
  }
  json["ceilings"] = {{"copy_bytes_per_s", report.ceilings.copy_bytes_per_s},
                      {"product_flop_per_s", report.ceilings.product_flop_per_s}};
  json["device_peak_bytes"] = report.peak_bytes;
  json["resident_bytes"] = resident_bytes();
  json["peak_resident_bytes"] = peak_cpu_memory();
  return json;
}

std::string text_of(const BenchReport& report, const Engine& engine, size_t repetitions) {
  const TableLook look{terminal_width(stdout), wants_colours(stdout)};
  Table table({{"Work"},
               {"tokens", Align::right},
               {"kept", Align::right},
               {"median (least to most)", Align::right},
               {"unit"},
               {"achieved", Align::right}});
  const Model& model = engine.model;
  for (const PrefillFigure& figure : report.prefill) {
    const double seconds = static_cast<double>(figure.tokens) * per_token(figure.tokens_per_s);
    table.add({"prefill", grouped(figure.tokens), "", text_of(figure.tokens_per_s), "tokens/s",
               fmt::format("{:.2f} TFLOP/s", rate(prefill_flop(model, figure.tokens), seconds) / 1e12)});
  }
  for (const ScoringFigure& figure : report.scoring) {
    table.add({fmt::format("scoring, {}", scoring_name(figure.scoring)), grouped(figure.tokens), "",
               text_of(figure.seconds), "s", ""});
    table.add({"  over prefill", grouped(figure.tokens), "", text_of(figure.ratio), "x", ""});
    if (figure.scoring != Scoring::exact) continue;
    table.add({"compression", grouped(figure.tokens), format_percent(kCompressed), text_of(figure.compression_seconds),
               "s", ""});
  }
  for (const StreamingFigure& figure : report.streaming) {
    table.add({figure.gated ? "streaming, by a gate" : "streaming", grouped(figure.tokens), format_percent(kCompressed),
               text_of(figure.seconds), "s", format_bytes(figure.kv_bytes)});
    table.add({"  of it scoring", grouped(figure.tokens), "", text_of(figure.scoring_seconds), "s", ""});
  }
  for (const DecodeFigure& figure : report.decode) {
    const std::string what = figure.questions == 1 ? "decode after" : fmt::format("  {} at once", figure.questions);
    table.add({what, grouped(figure.depth), format_percent(figure.keep), text_of(figure.tokens_per_s), "tokens/s",
               fmt::format("{:.1f} GB/s", decode_rate(model, figure) / 1e9)});
  }
  const bool one_by_one =
      std::any_of(report.decode.begin(), report.decode.end(), [](const DecodeFigure& each) { return each.given_up; });
  const std::string ceilings =
      fmt::format("{} copies {:.1f} GB/s and multiplies at {:.2f} TFLOP/s; memory in use at most {}",
                  engine.group ? "Of several devices, each" : "The device", report.ceilings.copy_bytes_per_s / 1e9,
                  report.ceilings.product_flop_per_s / 1e12, format_bytes(report.peak_bytes)) +
      (one_by_one ? "\nOperations of a token were launched one by one: the device can't repeat them as one graph" : "");
  const std::string shared = engine.group ? fmt::format("{} devices, figures achieved by each: ", model.ranks()) : "";
  return fmt::format("{}{}, {}\n{}, loaded in {}, {}\n\n{}\n{}\n", shared, engine.backend->description(),
                     counted(thread_count(), "thread"), engine.model.config().name, format_seconds(engine.load_seconds),
                     counted(repetitions, "repetition"), table.render(look), ceilings);
}

BenchPlan plan_of(const BenchFlags& flags) {
  BenchPlan plan = flags.plan;
  if (flags.quick)
    plan = {.prefill = {512}, .scoring = {1024}, .depths = {0, 1024}, .keeps = {1, 0.3}, .repetitions = 2};
  if (plan.streaming.empty()) plan.streaming = plan.scoring;
  if (flags.context > 0) plan.prefill = plan.scoring = plan.streaming = plan.depths = {flags.context};
  for (const double keep : plan.keeps) {
    if (!(keep > 0 && keep <= 1))
      throw Error(ErrorCode::usage, fmt::format("--keeps {}: expected more than 0 and at most 1", keep));
  }
  if (!flags.wants("prefill")) plan.prefill.clear();
  if (!flags.wants("scoring")) plan.scoring.clear();
  if (!flags.wants("streaming") && !flags.wants("gate")) plan.streaming.clear();
  if (!flags.wants("decode")) plan.depths.clear();
  return plan;
}

/// For the context of a model that has none of its own.
constexpr size_t kRoom = 8192;
size_t longest(const BenchPlan& plan) {
  size_t most = 0;
  for (const auto* lengths : {&plan.prefill, &plan.scoring, &plan.streaming, &plan.depths}) {
    for (const size_t tokens : *lengths) most = std::max(most, tokens);
  }
  return most;
}

void run_bench(const BenchFlags& flags) {
  const BenchPlan plan = plan_of(flags);
  ProgressBar bar(flags.output.quiet);
  const Engine engine = flags.shape.empty() ? load_engine(flags.engine, bar) : load_engine(flags.engine, bar, [&] {
    return random_model_files(flags.shape, longest(plan) + kRoom);
  });
  const Bench bench(engine, flags.reading, plan);
  bench.check_lengths();
  BenchReport report;
  bar.note("warming up");
  Bench(engine, flags.reading, {.repetitions = 1})
      .prefill(std::min<size_t>(512, engine.model.config().context_length / 2));
  for (const size_t tokens : plan.prefill) {
    bar.note(fmt::format("prefill of {}", counted(tokens, "token")));
    report.prefill.push_back(bench.prefill(tokens));
  }
  for (const size_t tokens : plan.scoring) {
    bar.note(fmt::format("scoring of {}", counted(tokens, "token")));
    for (const ScoringFigure& figure : bench.scoring(tokens)) report.scoring.push_back(figure);
  }
  for (const size_t tokens : plan.streaming) {
    for (const bool gated : {false, true}) {
      if (!flags.wants(gated ? "gate" : "streaming")) continue;
      bar.note(fmt::format("streaming of {}{}", counted(tokens, "token"), gated ? ", by a gate" : ""));
      report.streaming.push_back(bench.streaming(tokens, flags.mode.options(flags.reading), gated));
    }
  }
  for (const size_t depth : plan.depths) {
    bar.note(fmt::format("decoding after {}", counted(depth, "token")));
    for (const DecodeFigure& figure : bench.decode(depth)) report.decode.push_back(figure);
  }
  report.peak_bytes = engine.backend->peak_memory();
  bar.note("measuring what the device can do");
  report.ceilings = measure_ceilings(*engine.backend);
  if (flags.output.json) {
    print_json(json_of(report, engine));
  } else {
    fmt::print("{}", text_of(report, engine, plan.repetitions));
  }
}

void add_list(CLI::App& command, const char* name, std::vector<size_t>& list, size_t least, const char* what) {
  command.add_option(name, list, what)
      ->delimiter(',')
      ->check(CLI::Range(least, size_t{1} << 30U))
      ->capture_default_str();
}

}  // namespace

std::function<void()> add_bench(CLI::App& command) {
  const auto flags = std::make_shared<BenchFlags>();
  BenchPlan& plan = flags->plan;
  add_list(command, "--prefill", plan.prefill, 1, "Lengths to read, in tokens");
  add_list(command, "--scoring", plan.scoring, 1, "Lengths to score, in tokens");
  add_list(command, "--streaming", plan.streaming, 1, "Lengths to stream, in tokens (default: those to score)");
  add_list(command, "--depths", plan.depths, 0, "Lengths of the document before the decoding");
  command.add_option("--context", flags->context, "One length for all parts, in place of the three lists")
      ->check(whole(1, size_t{1} << 30U));
  command.add_option("--keeps", plan.keeps, "Fractions KEPT of it")->delimiter(',')->capture_default_str();
  add_list(command, "--questions", plan.questions, 1, "Questions answered at once in the decoding");
  command.add_option("-r,--repetitions", plan.repetitions, "Runs of each")
      ->check(CLI::Range(size_t{1}, size_t{1000}))
      ->capture_default_str();
  command.add_option("--decode-tokens", plan.decode_tokens, "Tokens per decoding run")
      ->check(CLI::Range(size_t{1}, size_t{4096}))
      ->capture_default_str();
  add_chunk_options(command, flags->mode);
  command.add_option("--seed", plan.seed, "Seed of the random tokens and scores")->capture_default_str();
  command
      .add_option(
          "--only", flags->only,
          "Parts to run: prefill, scoring, streaming, gate (streaming scored by a gate of random weights), decode")
      ->delimiter(',')
      ->check(CLI::IsMember({"prefill", "scoring", "streaming", "gate", "decode"}))
      ->capture_default_str();
  command.add_flag("--quick", flags->quick, "A short run: 512 read, 1,024 scored, decoding after 0 and 1,024");
  add_engine_options(command, flags->engine);
  add_gpus_option(command, flags->engine);
  command
      .add_option("--shape", flags->shape,
                  fmt::format("Random weights in place of a model: {}", fmt::join(shape_names(), ", ")))
      ->excludes("--model");
  add_reading_options(command, flags->reading);
  add_output_options(command, flags->output);
  command.footer(
      "Documents are random tokens: the time for one doesn't depend on what it says. Decoding forces random tokens "
      "through the model\n"
      "over a real cache; which of its rows are kept comes from random scores whose heads differ as in real ones.\n\n"
      "Examples:\n"
      "  kvzip bench --quick\n"
      "  kvzip bench --prefill 2048 --depths 4096 --keeps 1,0.3 -r 9 --only prefill,decode\n"
      "  kvzip bench --device cuda --shape llama3.1-8b --context 32768 --kv-type bf16\n"
      "  kvzip bench --gpus 2 --shape llama3.1-8b --context 122880 --kv-type bf16\n"
      "  kvzip bench --only streaming,gate --streaming 7936      a document that is read, scored and cut in chunks\n"
      "  kvzip bench --only decode --kv-type q8_0                memory of half the size\n"
      "  kvzip bench --json > here.json\n"
      "  kvzip bench kv-cache                                    what a KV cache is worth\n");
  CLI::App* kv_cache = command.add_subcommand("kv-cache", "Generate with and without a KV cache, and compare");
  return [flags, kv_cache, run_kv_cache = add_bench_kv_cache(*kv_cache)] {
    kv_cache->parsed() ? run_kv_cache() : run_bench(*flags);
  };
}

}  // namespace kvzip::cli
