#include "kvzip/cli/model_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/cli/format.h"
#include "kvzip/stages/prompt.h"

namespace kvzip::cli {
namespace {

constexpr size_t kFirstTokens = 1024;

std::vector<size_t> token_counts(size_t asked, size_t context) {
  if (asked > 0) return {asked};
  std::vector<size_t> counts;
  for (size_t tokens = kFirstTokens; tokens < context && tokens <= context / 2; tokens *= 2) counts.push_back(tokens);
  counts.push_back(context);
  return counts;
}

std::map<std::string, TypeShare> type_shares(const TensorSource& source) {
  std::map<std::string, TypeShare> types;
  for (const TensorSize& tensor : source.tensor_sizes()) {
    TypeShare& share = types[tensor.type];
    ++share.tensors;
    share.values += tensor.values;
    share.bytes += tensor.bytes;
  }
  return types;
}

std::string tokenizer_text(const Model& model) {
  return model.has_tokenizer() ? model.tokenizer().description() : "none; works on token ids alone";
}

std::string positions_text(const ModelConfig& config) {
  if (config.arch->learned_positions) return "learned positions";
  const RopeConfig& rope = config.rope;
  std::string text = fmt::format("RoPE base {}", rope.base);
  if (rope.scaling == RopeScaling::linear) text += fmt::format(", linear scaling by {:g}", rope.factor);
  if (rope.scaling == RopeScaling::yarn)
    text += fmt::format(", YaRN scaling by {:g} of {}", rope.factor, counted(rope.original_context, "token"));
  if (!rope.frequency_divisors.empty()) text += ", a divisor for each frequency (Llama 3.1)";
  return text;
}

std::string layers_text(const ModelConfig& config, const CacheShape& shape) {
  const size_t global = shape.global_layers().size();
  if (config.own_kv_layers < config.layers) {
    return fmt::format("{}: {} with keys and values of their own, {} over {} shared ones", config.layers,
                       config.own_kv_layers, config.layers - config.own_kv_layers,
                       config.kv_layers() - config.own_kv_layers);
  }
  if (global == config.layers) return fmt::format("{}, all see the whole context", config.layers);
  const size_t window = *std::max_element(shape.windows.begin(), shape.windows.end());
  return fmt::format("{}: {} see the whole context, {} the last {} tokens", config.layers, global,
                     config.layers - global, grouped(window));
}

size_t global_token_bytes(const CacheShape& shape) { return cache_bytes(shape, 0, 1).document; }

}  // namespace

ModelReport describe(const Model& model, const ReadingFlags& reading, const KeepAmount& keep, size_t tokens) {
  ModelReport report{&model, reading.dtype(), 1, type_shares(model.source()), {}};
  if (model.config().arch->bidirectional) return report;  // it keeps no memory of what it has read
  const CacheShape shape = model.cache_shape(report.kv_type);
  const size_t system = model.has_tokenizer() ? system_ids(model).size() : 0;
  for (const size_t count : token_counts(tokens, model.config().context_length)) {
    const size_t document = count - std::min(count, system);
    const double ratio = keep_ratio(keep, shape, count - document, document);
    const CacheBytes bytes = cache_bytes(shape, count - document, document);
    const size_t peak = estimate_memory(model, count, report.kv_type, reading.batch, kRepeatChunk).total();
    report.documents.push_back({count, bytes.kept(1), bytes.kept(ratio), peak});
    report.ratio = ratio;
  }
  return report;
}

std::string to_text(const ModelReport& report, const TableLook& look) {
  const Model& model = *report.model;
  const ModelConfig& config = model.config();
  const CacheShape shape = model.cache_shape(report.kv_type);
  Table facts({{"Model"}, {config.name, Align::left, true}});
  facts.add({"file", fmt::format("{} ({})", model.source().path(), format_bytes(model.source().file_bytes()))});
  facts.add({"family", fmt::format("{} ({})", config.arch->name, config.arch->title)});
  facts.add({"layers", layers_text(config, shape)});
  facts.add({"attention", fmt::format("{}, {} of {} values", counted(config.heads, "query head"),
                                      counted(config.kv_heads, "KV head"), config.head_dim)});
  facts.add({"widths", fmt::format("hidden {}, feed-forward {}, vocabulary {}", config.hidden, config.feed_forward,
                                   grouped(config.vocab))});
  facts.add({"context", fmt::format("{}; {}", counted(config.context_length, "token"), positions_text(config))});
  facts.add({"tokenizer", tokenizer_text(model)});
  if (!config.arch->bidirectional) facts.add({"template", model.chat_template().name});
  facts.add({"device", model.backend().description()});
  const size_t global = global_token_bytes(shape);
  facts.add(
      {"KV per token",
       fmt::format("{} in {}{}", format_bytes(shape.token_bytes()), dtype_name(report.kv_type),
                   global < shape.token_bytes() ? fmt::format(", {} beyond the window", format_bytes(global)) : "")});

  Table weights({{"Weights"},
                 {"tensors", Align::right},
                 {"values", Align::right},
                 {"bytes", Align::right},
                 {"bits each", Align::right}});
  for (const auto& [name, share] : report.types) {
    weights.add({name, grouped(share.tensors), grouped(share.values), format_bytes(share.bytes),
                 fmt::format("{:.2f}", 8.0 * static_cast<double>(share.bytes) /
                                           static_cast<double>(std::max<size_t>(share.values, 1)))});
  }
  Table memory({{"Tokens", Align::right},
                {"KV full", Align::right},
                {"KV kept", Align::right},
                {"peak while reading", Align::right}});
  for (const DocumentMemory& row : report.documents) {
    memory.add({grouped(row.tokens), format_bytes(row.kv_full), Cell(format_bytes(row.kv_kept), Style::good),
                format_bytes(row.peak)});
  }
  std::string text = facts.render({look.width, look.colours, look.max_lines, false}) + "\n" + weights.render(look);
  if (report.documents.empty()) return text;
  return text + "\n" + memory.render(look) +
         styled("Peak: keys and values, scores and work space beside the model file itself.", Style::dim,
                look.colours) +
         "\n";
}

Json to_json(const ModelReport& report) {
  const Model& model = *report.model;
  const ModelConfig& config = model.config();
  const CacheShape shape = model.cache_shape(report.kv_type);
  Json types = Json::object();
  for (const auto& [name, share] : report.types) {
    types[name] = {{"tensors", share.tensors}, {"values", share.values}, {"bytes", share.bytes}};
  }
  Json documents = Json::array();
  for (const DocumentMemory& row : report.documents) {
    documents.push_back({{"tokens", row.tokens},
                         {"kv_bytes_full", row.kv_full},
                         {"kv_bytes_kept", row.kv_kept},
                         {"peak_bytes", row.peak}});
  }
  return {{"name", config.name},
          {"file", model.source().path()},
          {"file_bytes", model.source().file_bytes()},
          {"family", config.arch->name},
          {"encoder", config.arch->bidirectional},
          {"layers", config.layers},
          {"kv_layers", config.kv_layers()},
          {"global_layers", shape.global_layers()},
          {"windows", config.windows},
          {"heads", config.heads},
          {"kv_heads", config.kv_heads},
          {"head_dim", config.head_dim},
          {"hidden", config.hidden},
          {"feed_forward", config.feed_forward},
          {"vocab", config.vocab},
          {"context_length", config.context_length},
          {"rope", positions_text(config)},
          {"tokenizer", model.has_tokenizer() ? Json(model.tokenizer().description()) : Json()},
          {"template", model.chat_template().name},
          {"device", model.backend().description()},
          {"kv_type", dtype_name(report.kv_type)},
          {"kv_bytes_per_token", shape.token_bytes()},
          {"kv_bytes_per_token_global", global_token_bytes(shape)},
          {"weights", types},
          {"documents", documents}};
}

}  // namespace kvzip::cli
