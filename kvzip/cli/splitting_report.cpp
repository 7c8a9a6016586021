#include "kvzip/cli/splitting_report.h"

#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "kvzip/cli/display_text.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/table.h"
#include "kvzip/cli/terminal.h"

namespace kvzip::cli {
namespace {

constexpr size_t kLines = 3;
constexpr size_t kIndent = 2;

/// On one line, with line ends and tabs as signs.
std::string visible(std::string_view piece) {
  std::string text;
  for (const char byte : printable(piece)) {
    if (byte == '\n') {
      text += "⏎";
    } else if (byte == '\t') {
      text += "→";
    } else {
      text += byte;
    }
  }
  // Bytes of a character that was cut between two pieces.
  return Json::parse(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace)).get<std::string>();
}

std::string frequent_pieces(const Splitting& splitting) {
  constexpr size_t kLongest = 24;  // columns of one piece
  std::string line = std::string(kIndent, ' ') + "most frequent:";
  for (const auto& [piece, count] : splitting.frequent) {
    std::string text = visible(piece);
    for (size_t at = text.find(' '); at != std::string::npos; at = text.find(' ', at)) text.replace(at, 1, "␣");
    line += fmt::format("  {} {}", shortened(text, kLongest), grouped(count));
  }
  return line;
}

}  // namespace

std::string pieces_in_lines(const std::vector<std::string>& pieces, size_t width, size_t lines, bool colours) {
  std::string out;
  std::string line;
  size_t used = 0;
  size_t done = 0;
  const auto end_line = [&] {
    out += std::string(kIndent, ' ') + line + "\n";
    line.clear();
    used = 0;
    ++done;
  };
  for (size_t i = 0; i < pieces.size(); ++i) {
    const std::string text = visible(pieces[i]);
    const size_t room = width - kIndent - 1;
    // A piece that would fit on a line of its own isn't broken.
    if (used > 0 && used + display_width(text) > room) end_line();
    for (const std::string& part : wrap(text, room)) {
      if (used > 0 && used + display_width(part) > room) end_line();
      if (done == lines) return out;
      const std::string border = i + 1 < pieces.size() ? "|" : "";
      line += colours ? on_background(part, kQuietBackgrounds[i % kQuietBackgrounds.size()], false) : part + border;
      used += display_width(part) + (colours ? 0 : border.size());
    }
  }
  if (!line.empty()) end_line();
  return out;
}

std::string splitting_report(const std::vector<Splitting>& splittings, size_t width, bool colours) {
  std::string out;
  Table table({{"Kind"},
               {"Pieces", Align::right},
               {"Different", Align::right},
               {"Bytes each", Align::right},
               {"Length", Align::right},
               {"Vocabulary", Align::right},
               {"Unknown", Align::right}});
  for (const Splitting& each : splittings) {
    out += styled(each.kind, Style::heading, colours) + ": " + each.rule + "\n";
    if (!each.vocabulary.empty())
      out += styled(fmt::format("{}vocabulary: {}", std::string(kIndent, ' '), each.vocabulary), Style::dim, colours) +
             "\n";
    out += pieces_in_lines(each.beginning, width, kLines, colours);
    out += styled(shortened(frequent_pieces(each), width), Style::dim, colours) + "\n\n";
    table.add({each.kind, grouped(each.pieces), grouped(each.distinct), fmt::format("{:.2f}", each.bytes_each),
               fmt::format("{:.2f}", each.characters_each), each.vocabulary_size ? grouped(*each.vocabulary_size) : "-",
               each.unknown ? grouped(*each.unknown) : "-"});
  }
  return out + table.render({.width = width, .colours = colours});
}

Json to_json(const Splitting& splitting) {
  Json frequent = Json::array();
  for (const auto& [piece, count] : splitting.frequent) frequent.push_back({{"piece", piece}, {"count", count}});
  Json json = {{"kind", splitting.kind},
               {"rule", splitting.rule},
               {"pieces", splitting.pieces},
               {"distinct", splitting.distinct},
               {"bytes_each", splitting.bytes_each},
               {"characters_each", splitting.characters_each}};
  if (splitting.vocabulary_size) {
    json["vocabulary"] = splitting.vocabulary;
    json["vocabulary_size"] = *splitting.vocabulary_size;
    json["unknown"] = splitting.unknown.value_or(0);
  }
  json["frequent"] = std::move(frequent);
  json["beginning"] = splitting.beginning;
  return json;
}

}  // namespace kvzip::cli
