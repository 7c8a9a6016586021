// `kvzip bench kv-cache`: what keeping keys and values is worth.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/kv_cache_report.h"
#include "kvzip/cli/read_document.h"

namespace kvzip::cli {
namespace {

struct KvCacheFlags {
  EngineFlags engine;
  KvCachePlan plan;
  std::string svg;
  OutputFlags output;
};

void run_kv_cache(const KvCacheFlags& flags) {
  if (!flags.svg.empty()) require_writable(flags.svg);
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  KvCacheBench bench(engine, flags.plan, bar);
  KvCacheReport report{one_line(engine.model.config().name), engine.backend->description(), thread_count(),
                       bench.generation(), bench.prompts()};
  if (!flags.svg.empty()) {
    write_file_atomically(flags.svg, [&](FileWriter& file) { file.write(to_svg(report)); });
  }
  if (flags.output.json) {
    print_json(to_json(report));
  } else {
    fmt::print("{}", to_text(report, {terminal_width(stdout), wants_colours(stdout)}));
  }
}

}  // namespace

std::function<void()> add_bench_kv_cache(CLI::App& command) {
  const auto flags = std::make_shared<KvCacheFlags>();
  const auto add_count = [&command](const char* name, size_t& count, size_t least, size_t most, const char* what) {
    command.add_option(name, count, what)->check(CLI::Range(least, most))->capture_default_str();
  };
  add_count("--tokens", flags->plan.tokens, 1, size_t{1} << 20U, "Tokens to generate, with the cache and without");
  add_count("--prompt-tokens", flags->plan.prompt_tokens, 1, size_t{1} << 24U, "Length of the text that is shared");
  add_count("--questions", flags->plan.questions, 1, 1000, "Questions about it");
  command.add_option("--svg", flags->svg, "Also draw the figures into this file");
  add_engine_options(command, flags->engine);
  add_output_options(command, flags->output);
  command.footer(
      "A model that has kept the keys and values of all tokens so far needs one short pass for the next token. "
      "Without\n"
      "them it has to run the whole text again, so that a text of twice the length takes four times the work. The "
      "same\n"
      "memory, kept of a text that several questions share, saves reading it again for each.\n\n"
      "Examples:\n"
      "  kvzip bench kv-cache\n"
      "  kvzip bench kv-cache -m gpt2 --tokens 256 --svg kv-cache.svg\n"
      "  kvzip bench kv-cache --prompt-tokens 2000 --questions 8 --json > here.json\n");
  return [flags] { run_kv_cache(*flags); };
}

}  // namespace kvzip::cli
