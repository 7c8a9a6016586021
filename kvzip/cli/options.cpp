#include "kvzip/cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <limits>

#include "kvzip/base/parse_number.h"
#include "kvzip/policy/methods.h"

namespace kvzip::cli {
namespace {

// Bounds that only keep slips of the hand away from the library.
constexpr size_t kMostThreads = 1024;
constexpr size_t kMostTokens = size_t{1} << 30U;

constexpr DType kKvTypes[] = {DType::f16, DType::bf16, DType::f32, DType::q8_0, DType::q4_0};

/// The names of a table's rows, and "name (rule), name (rule)" for the help.
template <class Table>
std::pair<std::vector<std::string>, std::string> names_and_rules(const Table& table) {
  std::vector<std::string> names;
  std::string rules;
  for (const auto& row : table) {
    names.emplace_back(row.name);
    rules += (rules.empty() ? "" : ", ") + names.back() + " (" + std::string(row.rule) + ")";
  }
  return {std::move(names), std::move(rules)};
}

}  // namespace

CLI::Validator whole(size_t least, size_t most) {
  return {[=](std::string& text) -> std::string {
            const auto value = parse_number<size_t>(text);
            if (value && *value >= least && *value <= most) return {};
            return "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                   ", found '" + text + "'";
          },
          "N"};
}

CLI::Validator not_negative() {
  return {[](std::string& text) -> std::string {
            const auto value = parse_number<double>(text);
            if (value && *value >= 0 && std::isfinite(*value)) return {};
            return "expected a number of at least 0, found '" + text + "'";
          },
          "X"};
}

void add_threads_option(CLI::App& command, size_t& threads) {
  command.add_option("-t,--threads", threads, "Threads (default: one per core)")->check(whole(0, kMostThreads));
}

void add_model_option(CLI::App& command, EngineFlags& flags) {
  command
      .add_option(
          "-m,--model", flags.model,
          "Model: a GGUF file, a Hugging Face folder, ORG/NAME from its cache, or a name that `kvzip info` lists")
      ->capture_default_str();
}

void add_device_option(CLI::App& command, EngineFlags& flags) {
  command.add_option("--device", flags.device, "Where it runs: cpu, cuda (the first NVIDIA GPU) or cuda:N")
      ->capture_default_str();
}

void add_engine_options(CLI::App& command, EngineFlags& flags) {
  add_model_option(command, flags);
  command.add_option("--template", flags.chat_template,
                     "Chat template: llama3, chatml, qwen3, gemma3, plain (default: by the model)");
  command
      .add_option("--weights", flags.weights,
                  "`f32` dequantises all weights and computes in f32: slow, for exact comparison")
      ->check(CLI::IsMember({"stored", "f32"}))
      ->capture_default_str();
  add_device_option(command, flags);
  command.add_option("--rope-scaling", flags.rope_scaling,
                     "Stretch positions for longer documents: yarn:N, linear:N or none (default: as the model says)");
  add_threads_option(command, flags.threads);
}

void add_gpus_option(CLI::App& command, EngineFlags& flags) {
  constexpr size_t kMostGpus = 64;
  flags.may_share = true;
  command
      .add_option("--gpus", flags.gpus,
                  "Share the model between the first N GPUs of this machine; --device cuda:0,2 names others")
      ->check(whole(1, kMostGpus));
}

DType ReadingFlags::dtype() const {
  const auto named = [this](DType type) { return dtype_name(type) == kv_type; };
  return *std::find_if(std::begin(kKvTypes), std::end(kKvTypes), named);
}

void add_reading_options(CLI::App& command, ReadingFlags& flags) {
  std::vector<std::string> types;
  for (const DType type : kKvTypes) types.emplace_back(dtype_name(type));
  command
      .add_option("--kv-type", flags.kv_type,
                  "How the kept keys and values are held; q8_0 takes about half of f16's memory, q4_0 about a quarter")
      ->check(CLI::IsMember(types))
      ->each([&flags](const std::string&) { flags.kv_type_given = true; })
      ->capture_default_str();
  command
      .add_option("--batch", flags.batch,
                  "Tokens per pass; fewer need less memory (default: by the device and its free memory)")
      ->check(whole(1, size_t{1} << 20U));
}

void ModeFlags::check() const {
  if (streams() || (chunk == 0 && chunk_keep == 0)) return;
  throw Error(ErrorCode::usage, fmt::format("{}: only for --mode streaming", chunk != 0 ? "--chunk" : "--chunk-keep"));
}

std::string ModeFlags::label() const {
  std::string text = mode;
  if (chunk != 0) text += fmt::format("-{}", chunk);
  if (chunk_keep != 0) text += fmt::format("-{:g}", chunk_keep);
  return text;
}

StreamOptions ModeFlags::options(const ReadingFlags& reading) const {
  return {.kv_type = reading.dtype(),
          .chunk = chunk != 0 ? chunk : kRepeatChunk,
          .chunk_keep = chunk_keep,
          .batch = reading.batch,
          .progress = {}};
}

void add_chunk_options(CLI::App& command, ModeFlags& flags) {
  command
      .add_option(
          "--chunk", flags.chunk,
          fmt::format("With --mode streaming: tokens that are read before some are dropped (default {})", kRepeatChunk))
      ->check(whole(1, size_t{1} << 20U));
  command
      .add_option(
          "--chunk-keep", flags.chunk_keep,
          "With --mode streaming: the fraction KEPT of each chunk until all that may be kept is taken (default: "
          "what of it is among the best of all that was read so far)")
      ->check(CLI::Range(0.001, 1.0));
}

void add_mode_options(CLI::App& command, ModeFlags& flags) {
  command
      .add_option("--mode", flags.mode,
                  "whole: the document is read, then scored; streaming: it is read, scored (locally) and cut chunk by "
                  "chunk, so that memory never holds more than what is kept and one chunk")
      ->check(CLI::IsMember({"whole", "streaming"}))
      ->capture_default_str();
  add_chunk_options(command, flags);
}

KeepAmount KeepFlags::amount() const {
  mode.check();
  if (mode.streams()) {
    const auto refuse = [](std::string_view what) {
      throw Error(ErrorCode::usage, fmt::format("{} with --mode streaming: needs the whole document", what));
    };
    if (is_automatic()) refuse("--keep auto");
    if (level == "head") refuse("--level head");
    if (method != "kvzip") refuse("--method " + method);
    if (scoring_given && scoring == "exact") refuse("--scoring exact");
  }
  check_gate(gate, scoring);
  if (!gate.empty() && method != "kvzip") throw Error(ErrorCode::usage, "--gate: only for --method kvzip");
  if (is_automatic() && !head_scores.empty()) throw Error(ErrorCode::usage, "--head-scores: not for --keep auto");
  if (!head_scores.empty() && level != "head") throw Error(ErrorCode::usage, "--head-scores: only for --level head");
  if (scoring != "exact" && method_by_name(method).source == Source::rows)
    throw Error(ErrorCode::usage, "--scoring: only for --method kvzip or kvzip+");
  return is_automatic() ? KeepAmount{KeepAmount::Unit::automatic, 1} : parse_keep(keep);
}

std::string KeepFlags::scored_by(const std::string& gate_name) const {
  if (mode.streams()) return gate.empty() ? mode.label() : mode.label() + "-" + gate_name;
  if (!gate.empty()) return gate_name;
  if (method == "kvzip") return scoring;
  return method + (scoring == "exact" ? "" : " " + scoring);
}

void add_keep_options(CLI::App& command, KeepFlags& flags) {
  command
      .add_option("-k,--keep", flags.keep,
                  "What is KEPT of the document's memory: 0.3, 30%, 200MiB, 1500tokens, or auto: as little as stays "
                  "within --loss")
      ->each([&flags](const std::string&) { flags.keep_given = true; })
      ->capture_default_str();
  command
      .add_option("--loss", flags.loss,
                  "With --keep auto: what a token of the document's repetition may cost beyond the full memory, in "
                  "nats, as `kvzip check` measures it")
      ->check(not_negative())
      ->capture_default_str();
  const auto [level_names, level_rules] = names_and_rules(levels());
  command.add_option("--level", flags.level, "Where from: " + level_rules)
      ->check(CLI::IsMember(level_names))
      ->each([&flags](const std::string&) { flags.level_given = true; })
      ->capture_default_str();
  command.add_option("--head-scores", flags.head_scores,
                     "Scores for --level head, made by `kvzip scores --save-head-scores`");
  const auto [method_names, method_rules] = names_and_rules(scoring_methods());
  command.add_option("--method", flags.method, "Which pairs are kept: " + method_rules)
      ->check(CLI::IsMember(method_names))
      ->each([&flags](const std::string&) { flags.method_given = true; })
      ->capture_default_str();
  add_gate_option(command, flags.gate, flags.scoring);
  command
      .add_option(
          "--scoring", flags.scoring,
          "While a part of the document is repeated, the model sees all of it (exact) or only that part (local): "
          "the longer the document, the more time that saves; a gate (--gate) repeats nothing")
      ->check(CLI::IsMember({"exact", "local", "gate"}))
      ->each([&flags](const std::string&) { flags.scoring_given = true; })
      ->capture_default_str();
}

void add_gate_option(CLI::App& command, std::string& gate, std::string& scoring) {
  command
      .add_option("--gate", gate,
                  "Score by this gate, while the document is read: nothing is repeated. A file of `kvzip learn`, or a "
                  "published one: KVzap's folder, or a file that scripts/convert_gate made of Fast KVzip's")
      ->each([&scoring](const std::string&) { scoring = "gate"; });
}

void check_gate(const std::string& gate, const std::string& scoring) {
  if (gate.empty() && scoring == "gate")
    throw Error(ErrorCode::usage, "--scoring gate: expected --gate FILE, made by `kvzip learn`");
  if (!gate.empty() && scoring != "gate")
    throw Error(ErrorCode::usage, fmt::format("--gate: expected no --scoring {} beside it", scoring));
}

void add_answer_options(CLI::App& command, AnswerOptions& options) {
  SamplerOptions& sampling = options.sampling;
  command.add_option("-n,--max-tokens", options.max_tokens, "Longest answer")
      ->check(whole(1, kMostTokens))
      ->capture_default_str();
  command.add_option("--temperature", sampling.temperature, "0 always takes the likeliest token")
      ->capture_default_str();
  command.add_option("--top-k", sampling.top_k, "Choose among the K likeliest tokens; 0 = all")
      ->check(whole(0, kMostTokens))
      ->capture_default_str();
  command.add_option("--top-p", sampling.top_p, "Choose among the likeliest that add up to P; 1 = all")
      ->capture_default_str();
  command.add_option("--min-p", sampling.min_p, "Drop tokens less than P times as likely as the likeliest")
      ->capture_default_str();
  command.add_option("--repeat-penalty", sampling.repeat_penalty, "Make recent tokens less likely; 1 = off")
      ->capture_default_str();
  command.add_option("--seed", sampling.seed, "Seed for temperatures above 0")
      ->check(whole(0, std::numeric_limits<size_t>::max()))
      ->capture_default_str();
}

void check_answer_options(const AnswerOptions& options) { const Sampler sampler(options.sampling); }

void add_key_option(CLI::App& command, std::string& key_file) {
  command.add_option("--key", key_file,
                     "File with a key of 32 bytes or 64 hexadecimal digits: only its holders can make or change the "
                     ".kvz files that it reads");
}

void add_output_options(CLI::App& command, OutputFlags& flags) {
  command.add_flag("--json", flags.json, "Print one JSON object instead of text");
  command.add_flag("-q,--quiet", flags.quiet, "No progress and no remarks on stderr");
}

}  // namespace kvzip::cli
