// `kvzip learn`: a gate for a model, from texts that it has scored.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/engine.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/learn/gate_file.h"
#include "kvzip/learn/gate_learner.h"
#include "kvzip/stages/prompt.h"

namespace kvzip::cli {
namespace {

struct LearnFlags {
  std::vector<std::string> files;
  std::string out;
  size_t length = 4000;
  std::string scoring = "local";
  EngineFlags engine;
  size_t batch = 0;
  OutputFlags output;
};

/// The texts as documents of at most `length` tokens.
std::vector<std::vector<TokenId>> documents_of(const Model& model, const LearnFlags& flags) {
  std::vector<std::vector<TokenId>> documents;
  for (const std::string& path : flags.files) {
    std::vector<TokenId> ids;
    try {
      ids = document_ids(model, read_document(path));
    } catch (const Error& error) {
      rethrow_about(path, error);
    }
    for (size_t begin = 0; begin < ids.size(); begin += flags.length) {
      const auto part = std::span(ids).subspan(begin, std::min(flags.length, ids.size() - begin));
      documents.emplace_back(part.begin(), part.end());
    }
  }
  return documents;
}

LearnedGate learn(const Model& model, const std::vector<std::vector<TokenId>>& documents, const LearnFlags& flags,
                  ProgressBar& bar) {
  GateLearner learner(model);
  size_t total = 0;
  for (const auto& document : documents) total += document.size();
  const ProgressFn progress = bar.stage("learning");
  size_t done = 0;
  for (const std::vector<TokenId>& document : documents) {
    // A third each for reading, scoring and learning.
    const auto part = [&](size_t third) {
      return [&, third](const Progress& at) {
        const size_t inside = at.total > 0 ? document.size() * at.done / at.total : 0;
        return progress({"learning", 3 * done + third * document.size() + inside, 3 * total});
      };
    };
    const Reading reading = prefill_ids(model, system_ids(model), document,
                                        {.kv_type = DType::f16, .batch = flags.batch, .progress = part(0)});
    const Scores scores =
        score(model, reading, {.scoring = scoring_by_name(flags.scoring), .batch = flags.batch, .progress = part(1)});
    learner.add(reading, scores, flags.batch, part(2));
    done += document.size();
  }
  bar.note("solving");
  return learner.solve();
}

void run_learn(const LearnFlags& flags) {
  require_writable(flags.out);
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  const Stopwatch watch;
  const std::vector<std::vector<TokenId>> documents = documents_of(engine.model, flags);
  const LearnedGate gate = learn(engine.model, documents, flags, bar);
  write_gate(flags.out, engine.model, gate.weights,
             {{"model", engine.model.config().name},
              {"scoring", flags.scoring},
              {"tokens", fmt::to_string(gate.rows)},
              {"lambda", fmt::format("{:g}", gate.lambda)},
              {"correlation", fmt::format("{:.4f}", gate.correlation)},
              {"version", KVZIP_VERSION}});
  if (flags.output.json) {
    print_json({{"file", flags.out},
                {"documents", documents.size()},
                {"tokens", gate.rows},
                {"lambda", gate.lambda},
                {"correlation", gate.correlation},
                {"error", gate.error},
                {"seconds", watch.seconds()}});
    return;
  }
  bar.note("written",
           fmt::format("{}: from {} in {}", flags.out, counted(gate.rows, "token"), format_seconds(watch.seconds())));
  fmt::print("on the tenth of the tokens that was held out: correlation of log scores {:.3f}, error {:.3f} nats\n",
             gate.correlation, gate.error);
}

}  // namespace

std::function<void()> add_learn(CLI::App& command) {
  const auto flags = std::make_shared<LearnFlags>();
  command.add_option("FILE", flags->files, "Texts to learn from: the more, and the more varied, the better")
      ->required();
  command.add_option("-o,--out", flags->out, "The gate to make, a safetensors file")->required();
  command.add_option("--length", flags->length, "Tokens of the documents that long texts are cut into")
      ->check(whole(1, size_t{1} << 24U))
      ->capture_default_str();
  command.add_option("--scoring", flags->scoring, "What is learned: exact or local scores")
      ->check(CLI::IsMember({"exact", "local"}))
      ->capture_default_str();
  add_engine_options(command, flags->engine);
  command.add_option("--batch", flags->batch, "Tokens per pass (default: by the device)")
      ->check(whole(1, size_t{1} << 20U));
  add_output_options(command, flags->output);
  command.footer(
      "A gate is a linear map per layer and KV head from what enters the layer's attention to the logarithm of a "
      "pair's score,\nfound by ridge regression in closed form. With it scores fall out of the reading, and nothing is "
      "repeated.\nIt belongs to the model that it was learned for.\n\n"
      "Examples:\n"
      "  kvzip learn books/*.txt -o gate.safetensors\n"
      "  kvzip ask report.txt --scoring gate --gate gate.safetensors \"Who signed it?\"\n"
      "  kvzip scores report.txt --scoring gate --gate gate.safetensors --overlap   how many of the same pairs it "
      "keeps\n");
  return [flags] { run_learn(*flags); };
}

}  // namespace kvzip::cli
