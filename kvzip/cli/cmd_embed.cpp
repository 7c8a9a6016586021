// `kvzip embed`: texts as vectors, from an encoder.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/cli/commands.h"
#include "kvzip/cli/encoder_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/model/safetensors_write.h"

namespace kvzip::cli {
namespace {

struct EmbedFlags {
  TextFlags text;
  std::string pooling = "pooled";
  std::string tensor;
  EngineFlags engine;
  OutputFlags output;
};

std::vector<float> vector_of(const Encoding& encoding, const std::string& pooling) {
  const auto first = encoding.states.begin();
  if (pooling == "mean") return encoding.mean();
  if (pooling == "cls") return {first, first + static_cast<std::ptrdiff_t>(encoding.hidden)};
  if (pooling == "tokens") return encoding.states;
  if (encoding.pooled.empty())
    throw Error(ErrorCode::input, "--pooling pooled: the model has no pooler; expected mean, cls or tokens");
  return encoding.pooled;
}

void write_tensors(const std::string& path, const Encoding& encoding, const EncoderInput& input) {
  const std::vector<float> ids(input.ids.begin(), input.ids.end()), types(input.types.begin(), input.types.end());
  std::vector<NamedArray> arrays = {{"ids", {encoding.tokens}, std::span(ids)},
                                    {"token_types", {encoding.tokens}, std::span(types)},
                                    {"tokens", {encoding.tokens, encoding.hidden}, std::span(encoding.states)}};
  if (!encoding.pooled.empty()) arrays.push_back({"pooled", {encoding.hidden}, std::span(encoding.pooled)});
  write_safetensors(path, arrays);
}

Json rows_json(const std::vector<float>& values, size_t width) {
  Json rows = Json::array();
  for (size_t begin = 0; begin < values.size(); begin += width)
    rows.push_back(std::vector<float>(values.begin() + static_cast<std::ptrdiff_t>(begin),
                                      values.begin() + static_cast<std::ptrdiff_t>(begin + width)));
  return rows;
}

/// A line for each vector; what reads floats reads them back as they were.
void print_rows(const std::vector<float>& values, size_t width) {
  for (size_t begin = 0; begin < values.size(); begin += width)
    fmt::print("{}\n", fmt::join(std::span(values).subspan(begin, width), " "));
}

void run_embed(const EmbedFlags& flags) {
  const Texts texts = read_texts(flags.text);
  if (!flags.tensor.empty()) require_writable(flags.tensor);
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  require_encoder(engine.model.config());
  const EncoderInput input = encoder_input(engine.model, texts.first, texts.second);
  const Encoding encoding = encode(engine.model, input, engine.exact ? DType::f32 : DType::f16);
  throw_if_interrupted();
  if (!flags.tensor.empty()) {
    write_tensors(flags.tensor, encoding, input);
    bar.note("tensors", flags.tensor);
  }
  const std::vector<float> values =
      flags.tensor.empty() || flags.output.json ? vector_of(encoding, flags.pooling) : std::vector<float>();
  if (flags.output.json) {
    const bool rows = flags.pooling == "tokens";
    print_json({{"model", engine.model.config().name},
                {"ids", input.ids},
                {"token_types", input.types},
                {"pooling", flags.pooling},
                {"embedding", rows ? rows_json(values, encoding.hidden) : Json(values)}});
  } else if (!values.empty()) {
    print_rows(values, encoding.hidden);
  }
}

}  // namespace

std::function<void()> add_embed(CLI::App& command) {
  const auto flags = std::make_shared<EmbedFlags>();
  flags->engine.encoders = true;
  add_text_options(command, flags->text);
  command
      .add_option("--pooling", flags->pooling,
                  "Which vector: pooled (the model's own pooler), mean (of all tokens), cls (the first token), or "
                  "tokens (one line for each)")
      ->check(CLI::IsMember({"pooled", "mean", "cls", "tokens"}))
      ->capture_default_str();
  command.add_option("--tensor", flags->tensor,
                     "Write all of them to this safetensors file instead: ids, token_types, tokens, pooled");
  add_engine_options(command, flags->engine);
  add_output_options(command, flags->output);
  command.footer(
      "Examples:\n"
      "  kvzip embed --text \"a quiet harbour\" -m ./bert-base-uncased --pooling mean\n"
      "  kvzip embed --text \"Who lit it?\" --pair \"The keeper did.\" -m ./bert-base-uncased --json\n"
      "  kvzip embed note.txt -m ./bert-base-uncased --tensor note.safetensors\n");
  return [flags] { run_embed(*flags); };
}

}  // namespace kvzip::cli
