#include "kvzip/cli/context_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"

namespace kvzip::cli {
namespace {

std::string level_text(const ContextDescription& about) {
  return fmt::format("{}{}", level_name(about.level), about.given_head_scores ? ", with head scores of its own" : "");
}

std::string heads_text(const ContextDescription& about) {
  if (about.held.rows.empty()) return "none: all layers keep their windows";
  std::vector<uint32_t> rows = about.held.rows;
  std::sort(rows.begin(), rows.end());
  return fmt::format("{} heads in {}; {} to {} rows each, half of them at most {}", rows.size(),
                     counted(about.held.layers, "layer"), grouped(rows.front()), grouped(rows.back()),
                     grouped(rows[rows.size() / 2]));
}

uint64_t row_bytes_of(const ContextFile& file) {
  uint64_t bytes = 0;
  const CacheShape& shape = file.description().shape;
  for (size_t layer = 0; layer < shape.layers(); ++layer) {
    for (size_t head = 0; head < shape.kv_heads; ++head)
      bytes += file.layout().rows(layer, head, 0).bytes + file.layout().rows(layer, head, 1).bytes;
  }
  return bytes;
}

}  // namespace

std::string to_text(const ContextFile& file, const TableLook& look) {
  const ContextDescription& about = file.description();
  Table facts({{"Context"}, {one_line(about.title), Align::left, true}});
  facts.add({"file", fmt::format("{} ({})", file.path(), format_bytes(file.header().file_bytes))});
  facts.add(
      {"document", fmt::format("{}, {} of text", counted(about.held.len, "token"), format_bytes(about.text_bytes))});
  facts.add({"kept", fmt::format("{} of its pairs, by level {}; opens at ratios up to {:g}",
                                 format_percent(about.held.ratio()), level_text(about), about.ratio)});
  facts.add({"scored", heads_text(about)});
  facts.add({"rows", fmt::format("{} in {}", format_bytes(row_bytes_of(file)), dtype_name(about.shape.dtype))});
  facts.add({"blocks", fmt::format("{}, {}", counted(file.layout().blocks(), "block"),
                                   file.header().zstd ? "packed by zstd" : "used where they lie")});
  facts.add({"sums", file.header().keyed ? "BLAKE2b, with the key" : "xxh3, without a key"});
  facts.add({"model", one_line(about.model_name)});
  for (const FingerprintValue& each : about.fingerprint) facts.add({one_line(each.name), one_line(each.value)});
  return facts.render({look.width, look.colours, look.max_lines, false});
}

Json to_json(const ContextFile& file) {
  const ContextDescription& about = file.description();
  Json fingerprint = Json::object();
  for (const FingerprintValue& each : about.fingerprint) fingerprint[each.name] = each.value;
  return {{"title", about.title},
          {"file", file.path()},
          {"file_bytes", file.header().file_bytes},
          {"row_bytes", row_bytes_of(file)},
          {"text_bytes", about.text_bytes},
          {"system_tokens", about.system_tokens},
          {"document_tokens", about.held.len},
          {"keep", about.ratio},
          {"kept_ratio", about.held.ratio()},
          {"level", level_name(about.level)},
          {"given_head_scores", about.given_head_scores},
          {"scoring", about.scoring},
          {"kv_type", dtype_name(about.shape.dtype)},
          {"rows_per_head", to_json(about.held)},
          {"blocks", file.layout().blocks()},
          {"zstd", file.header().zstd},
          {"keyed", file.header().keyed},
          {"model", about.model_name},
          {"fingerprint", fingerprint}};
}

}  // namespace kvzip::cli
