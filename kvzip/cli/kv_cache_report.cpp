#include "kvzip/cli/kv_cache_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/cli/format.h"
#include "kvzip/cli/svg_plot.h"

namespace kvzip::cli {
namespace {

constexpr size_t kFewestTokens = 8;
/// Logits by which choices may differ from rounding: bf16 products and weights of four bits give up to some tenths.
constexpr double kRoundingGap = 0.5;

std::string times(double faster) { return fmt::format("{:.1f}x", faster); }

std::string verdict(const TokenCheck& check) {
  if (check.same == check.compared) return fmt::format("Both ways chose the same {}.", counted(check.same, "token"));
  const std::string most = fmt::format("Both ways chose the same token {} of {} times;", check.same, check.compared);
  return check.largest_gap <= kRoundingGap
             ? fmt::format("{} elsewhere two were as likely but for rounding ({:.2g} of a logit).", most,
                           check.largest_gap)
             : fmt::format("{} THEY SHOULD AGREE: a choice was off by {:.2g} of a logit.", most, check.largest_gap);
}

Json json_of(const TokenCheck& check) {
  return {{"compared", check.compared}, {"same", check.same}, {"largest_logit_gap", check.largest_gap}};
}

std::string generation_table(const GenerationFigure& figure, const TableLook& look) {
  Table table({{"Tokens made", Align::right},
               {"KV cache", Align::right},
               {"per second", Align::right},
               {"no cache", Align::right},
               {"per second", Align::right},
               {"faster", Align::right}});
  for (const size_t count : row_lengths(figure.cached.size())) {
    const double cached = figure.cached[count - 1];
    const double recomputed = figure.recomputed[count - 1];
    table.add({grouped(count), Cell(format_seconds(cached), Style::good),
               format_rate(rate(static_cast<double>(count), cached)), format_seconds(recomputed),
               format_rate(rate(static_cast<double>(count), recomputed)), times(recomputed / cached)});
  }
  return table.render(look);
}

std::string prompt_table(const PromptFigure& figure, const TableLook& look) {
  Table table({{"Question", Align::right},
               {"kept: first token", Align::right},
               {"read again", Align::right},
               {"faster", Align::right},
               {"kept: all so far", Align::right},
               {"read again", Align::right},
               {"faster", Align::right}});
  for (size_t i = 0; i < figure.cached.size(); ++i) {
    table.add({grouped(i + 1), Cell(format_seconds(figure.cached_first[i]), Style::good),
               format_seconds(figure.recomputed_first[i]), times(figure.recomputed_first[i] / figure.cached_first[i]),
               Cell(format_seconds(figure.cached[i]), Style::good), format_seconds(figure.recomputed[i]),
               times(figure.recomputed[i] / figure.cached[i])});
  }
  return table.render(look);
}

/// Seconds by number of things done.
PlotLine line_of(std::string name, const std::vector<double>& seconds) {
  PlotLine line{std::move(name), {{0, 0}}};
  for (size_t i = 0; i < seconds.size(); ++i) line.points.emplace_back(i + 1, seconds[i]);
  return line;
}

}  // namespace

std::vector<size_t> row_lengths(size_t tokens) {
  std::vector<size_t> lengths;
  for (size_t count = tokens; count > 0 && (lengths.empty() || count >= kFewestTokens); count /= 2) {
    lengths.push_back(count);
  }
  std::reverse(lengths.begin(), lengths.end());
  return lengths;
}

std::string to_text(const KvCacheReport& report, const TableLook& look) {
  const GenerationFigure& made = report.generation;
  const PromptFigure& prompts = report.prompts;
  const auto heading = [&](const std::string& text) { return styled(text, Style::heading, look.colours); };
  const auto remark = [&](const std::string& text) { return styled(text, Style::dim, look.colours); };
  return fmt::format(
      "{}\n{}\n\n{}\n{}\n\n{}{}\n{}\n\n{}\n{}\n\n{}{}\n{}\n", report.machine, report.model,
      heading("Generating: keep the keys and values of all tokens, or compute them again for each new one"),
      remark(fmt::format("{} stand before the first one. With the cache a token costs one pass over itself; without, a "
                         "pass over all before it.",
                         counted(made.start_tokens, "token"))),
      generation_table(made, look), verdict(made.check), remark("The longer the text, the more the cache saves."),
      heading(fmt::format("Asking: keep a shared text of {}, or read it again for each question",
                          counted(prompts.prompt_tokens, "token"))),
      remark(fmt::format("Reading it once takes {}, which counts in all so far; each answer has {}.",
                         format_seconds(prompts.prompt_seconds), counted(prompts.answer_tokens, "token"))),
      prompt_table(prompts, look), verdict(prompts.check),
      remark("A kept text pays from the second question on. `kvzip ask` keeps it, and then drops what it won't need."));
}

Json to_json(const KvCacheReport& report) {
  const GenerationFigure& made = report.generation;
  const PromptFigure& prompts = report.prompts;
  Json lengths = Json::array();
  for (const size_t count : row_lengths(made.cached.size())) {
    const double cached = made.cached[count - 1];
    const double recomputed = made.recomputed[count - 1];
    lengths.push_back({{"tokens", count},
                       {"cached_seconds", cached},
                       {"cached_tokens_per_s", rate(static_cast<double>(count), cached)},
                       {"recomputed_seconds", recomputed},
                       {"recomputed_tokens_per_s", rate(static_cast<double>(count), recomputed)},
                       {"speed_up", recomputed / cached}});
  }
  Json questions = Json::array();
  for (size_t i = 0; i < prompts.cached.size(); ++i) {
    questions.push_back({{"question", i + 1},
                         {"cached_first_token_seconds", prompts.cached_first[i]},
                         {"recomputed_first_token_seconds", prompts.recomputed_first[i]},
                         {"cached_seconds", prompts.cached[i]},
                         {"recomputed_seconds", prompts.recomputed[i]}});
  }
  return {{"machine", report.machine},
          {"threads", report.threads},
          {"model", report.model},
          {"generation",
           {{"start_tokens", made.start_tokens},
            {"first_token_seconds", {{"cached", made.cached.front()}, {"recomputed", made.recomputed.front()}}},
            {"lengths", lengths},
            {"tokens", json_of(made.check)}}},
          {"prompt_caching",
           {{"prompt_tokens", prompts.prompt_tokens},
            {"answer_tokens", prompts.answer_tokens},
            {"prompt_seconds", prompts.prompt_seconds},
            {"questions", questions},
            {"tokens", json_of(prompts.check)}}}};
}

std::string to_svg(const KvCacheReport& report) {
  const GenerationFigure& made = report.generation;
  PlotLine faster{"without / with", {}};
  for (size_t i = 0; i < made.cached.size(); ++i) {
    faster.points.emplace_back(i + 1, made.recomputed[i] / made.cached[i]);
  }
  const Plot generation{"Generating text",
                        "tokens made",
                        "seconds",
                        {line_of("with KV cache", made.cached), line_of("without", made.recomputed)}};
  const Plot gain{"What the KV cache gains", "tokens made", "times faster", {faster}};
  const Plot asking{fmt::format("Questions about {} of text", counted(report.prompts.prompt_tokens, "token")),
                    "questions answered",
                    "seconds",
                    {line_of("text kept", report.prompts.cached), line_of("read again", report.prompts.recomputed)}};
  return render_svg(fmt::format("KV caching: {}, {}", report.model, counted(report.threads, "thread")),
                    {generation, gain, asking});
}

}  // namespace kvzip::cli
