// `kvzip attention`: what a model looks at, as a page or as numbers.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/display_text.h"
#include "kvzip/cli/encoder_text.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/viewed_document.h"
#include "kvzip/model/safetensors_write.h"
#include "kvzip/stages/prompt.h"
#include "kvzip/text/lossy_utf8.h"
#include "kvzip/view/attention_page.h"
#include "kvzip/view/token_texts.h"

namespace kvzip::cli {
namespace {

struct AttentionFlags {
  TextFlags text;
  std::string out;
  std::string tensor;
  std::string tokens;  ///< A:B
  EngineFlags engine;
  OutputFlags output;
};

struct TokenRange {
  size_t first = 0;
  size_t end = 0;  ///< 0 = that of the text
};

TokenRange parse_range(const std::string& text) {
  TokenRange range;
  if (text.empty()) return range;
  const size_t colon = text.find(':');
  const auto number = [&](std::string_view digits, size_t& value) {
    if (digits.empty()) return true;
    const auto parsed = parse_number<size_t>(digits);
    value = parsed.value_or(0);
    return parsed.has_value();
  };
  const std::string_view view = text;
  const bool good = colon != std::string::npos && number(view.substr(0, colon), range.first) &&
                    number(view.substr(colon + 1), range.end) && (range.end == 0 || range.first < range.end);
  if (!good)
    throw Error(ErrorCode::usage, fmt::format("--tokens: expected FIRST:END, such as 0:200, found {}", quote(text)));
  return range;
}

EncoderInput input_of(const Model& model, const Texts& texts) {
  if (model.config().arch->bidirectional || texts.second) return encoder_input(model, texts.first, texts.second);
  return {opened_ids(model, texts.first), {}};
}

/// WordPiece's pieces are shown as they are spelled: their text alone would run together.
std::vector<std::string> shown_texts(const Model& model, std::span<const TokenId> ids) {
  if (!model.config().arch->bidirectional) return token_texts(model.tokenizer(), ids);
  std::vector<std::string> texts;
  for (const TokenId id : ids) texts.push_back(lossy_utf8(model.tokenizer().spelling(id)));
  return texts;
}

void require_page_size(const ModelConfig& config, const TokenRange& range, size_t tokens) {
  const size_t end = range.end == 0 ? tokens : range.end;
  const size_t most = most_page_positions(config);
  if (end <= range.first || end - range.first <= most) return;
  throw Error(ErrorCode::input,
              fmt::format("tokens: expected at most {} for a page of {} heads, found {}; --tokens {}:{} shows a part",
                          most, config.layers * config.heads, end - range.first, range.first, range.first + most));
}

ViewedAttention viewed(const Model& model, const std::string& name, const EncoderInput& input, AttentionMaps maps) {
  const ModelConfig& config = model.config();
  const auto shown = std::span(input.ids).subspan(maps.first, maps.len);
  ViewedAttention page{name,           config.name, shown_texts(model, shown), {}, !config.arch->bidirectional,
                       config.windows, {}};
  const auto second = std::find(input.types.begin(), input.types.end(), 1);
  const auto at = static_cast<size_t>(second - input.types.begin());
  if (second != input.types.end() && at < maps.first + maps.len) page.second = std::max(at, maps.first) - maps.first;
  page.maps = std::move(maps);
  return page;
}

void write_tensor(const std::string& path, const EncoderInput& input, const AttentionMaps& maps) {
  const auto first = input.ids.begin() + static_cast<std::ptrdiff_t>(maps.first);
  const std::vector<float> ids(first, first + static_cast<std::ptrdiff_t>(maps.len));
  write_safetensors(path, std::vector<NamedArray>{
                              {"ids", {maps.len}, std::span(ids)},
                              {"attention", {maps.layers, maps.heads, maps.len, maps.len}, std::span(maps.weights)}});
}

void run_attention(const AttentionFlags& flags) {
  if (flags.out.empty() && flags.tensor.empty())
    throw Error(ErrorCode::usage, "output: expected -o PAGE or --tensor FILE, found neither");
  const TokenRange range = parse_range(flags.tokens);
  const Texts texts = read_texts(flags.text);
  for (const std::string& path : {flags.out, flags.tensor}) {
    if (!path.empty()) require_writable(path);
  }
  ProgressBar bar(flags.output.quiet);
  const Engine engine = load_engine(flags.engine, bar);
  const EncoderInput input = input_of(engine.model, texts);
  if (!flags.out.empty()) require_page_size(engine.model.config(), range, input.ids.size());
  AttentionMaps maps = attention_maps(engine.model, input,
                                      {.first = range.first,
                                       .end = range.end,
                                       .kv_type = engine.exact ? DType::f32 : DType::f16,
                                       .progress = bar.stage("attention")});
  throw_if_interrupted();
  Json json = {{"document", texts.name},
               {"tokens", {maps.first, maps.first + maps.len}},
               {"layers", maps.layers},
               {"heads", maps.heads}};
  if (!flags.tensor.empty()) {
    write_tensor(flags.tensor, input, maps);
    json["tensor"] = flags.tensor;
    bar.note("tensor", one_line(flags.tensor));
  }
  if (!flags.out.empty()) {
    const std::string name = flags.text.text ? shortened(one_line(texts.first), 60) : shown_name(flags.text.file);
    const std::string page = attention_page(viewed(engine.model, name, input, std::move(maps)));
    write_file_atomically(flags.out, [&](FileWriter& file) { file.write(page); });
    json["page"] = flags.out;
    json["page_bytes"] = page.size();
    bar.note("page", fmt::format("{}, {}", one_line(flags.out), format_bytes(page.size())));
  }
  if (flags.output.json) print_json(json);
}

}  // namespace

std::function<void()> add_attention(CLI::App& command) {
  const auto flags = std::make_shared<AttentionFlags>();
  flags->engine.encoders = true;
  add_text_options(command, flags->text);
  command.add_option("-o,--output", flags->out, "Write the page to this file");
  command.add_option(
      "--tensor", flags->tensor,
      "Write the shares to this safetensors file: attention [layers, heads, len, len] in f32, ids [len]");
  command.add_option("--tokens", flags->tokens,
                     "FIRST:END: show these tokens of the text only; what they pay to others is left out");
  add_engine_options(command, flags->engine);
  add_output_options(command, flags->output);
  command.footer(
      "One HTML file that needs no network: lines between tokens for any layer and heads, and a grid of all layers "
      "and\n"
      "heads. Texts are read as they are, without a template; encoders add their own special tokens.\n\n"
      "Examples:\n"
      "  kvzip attention --text \"The keeper lit the lamp because it was dark.\" -o attention.html\n"
      "  kvzip attention --text \"Who lit it?\" --pair \"The keeper did.\" -m ./bert-base-uncased -o pair.html\n"
      "  kvzip attention report.txt --tokens 0:200 -o attention.html --tensor attention.safetensors\n");
  return [flags] { run_attention(*flags); };
}

}  // namespace kvzip::cli
