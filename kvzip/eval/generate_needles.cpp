// Generators of documents that hide sentences among others.
#include <fmt/format.h>

#include <array>
#include <set>

#include "kvzip/base/error.h"
#include "kvzip/eval/generators.h"
#include "kvzip/eval/haystack.h"

namespace kvzip {
namespace {

constexpr std::array<std::string_view, 24> kTowns = {
    "Aldermoor",  "Brackwell",  "Castlebay", "Dunmarrow", "Eastholm",  "Fernhill",  "Glasswater", "Hollowgate",
    "Inverleath", "Jarrowby",   "Kingsfold", "Larkspur",  "Millhaven", "Northwick", "Oakenshaw",  "Penrudden",
    "Quarley",    "Ravenstone", "Saltmarsh", "Thornbury", "Underwood", "Valemouth", "Whitcombe",  "Yarnton"};
constexpr size_t kDigits = 6;
constexpr size_t kDepths = 11;

std::vector<std::string_view> some_towns(size_t count, SeededRandom& random) {
  std::vector<std::string_view> towns(kTowns.begin(), kTowns.end());
  random.shuffle(towns);
  towns.resize(count);
  return towns;
}

std::string needle(std::string_view town, std::string_view number) {
  return fmt::format("The registration number of {} is {}. ", town, number);
}

EvalQuestion question(std::string_view town, std::string_view number) {
  return {fmt::format("What is the registration number of {}?", town), std::string(number), Metric::include};
}

std::vector<std::string> hay_beside(const std::vector<std::string>& needles, const GeneratorOptions& options,
                                    SeededRandom& random) {
  size_t taken = 0;
  for (const std::string& each : needles) taken += options.count(each);
  if (2 * taken > options.tokens) {
    throw Error(ErrorCode::usage,
                fmt::format("length {}: expected at least {} tokens for such a document", options.tokens, 2 * taken));
  }
  return haystack(options.tokens - taken, options.count, random);
}

}  // namespace

EvalDocument generate_needle(const GeneratorOptions& options) {
  SeededRandom random(options.seed, options.index);
  const std::string_view town = some_towns(1, random).front();
  const std::string number = random.digits(kDigits);
  const std::string hidden = needle(town, number);
  const std::vector<std::string> hay = hay_beside({hidden}, options, random);
  const double depth = static_cast<double>(options.index % kDepths) / (kDepths - 1);
  return {insert_at(hay, hidden, depth), {question(town, number)}, depth, options.tokens};
}

EvalDocument generate_needle_multi_key(const GeneratorOptions& options) {
  constexpr size_t kKeys = 12;
  constexpr size_t kAsked = 4;
  SeededRandom random(options.seed, options.index);
  std::vector<std::string> needles;
  std::vector<EvalQuestion> questions;
  for (const std::string_view town : some_towns(kKeys, random)) {
    const std::string number = random.digits(kDigits);
    needles.push_back(needle(town, number));
    if (questions.size() < kAsked) questions.push_back(question(town, number));
  }
  const std::vector<std::string> hay = hay_beside(needles, options, random);
  return {spread(hay, needles, random), questions, {}, options.tokens};
}

EvalDocument generate_needle_multi_value(const GeneratorOptions& options) {
  constexpr size_t kValues = 4;
  SeededRandom random(options.seed, options.index);
  const std::string_view town = some_towns(1, random).front();
  std::vector<std::string> needles;
  std::string answer;
  for (size_t i = 0; i < kValues; ++i) {
    const std::string number = random.digits(kDigits);
    needles.push_back(fmt::format("One of the registration numbers of {} is {}. ", town, number));
    answer += (i > 0 ? ", " : "") + number;
  }
  const std::vector<std::string> hay = hay_beside(needles, options, random);
  return {spread(hay, needles, random),
          {{fmt::format("What are all {} registration numbers of {}?", kValues, town), answer, Metric::include_all}},
          {},
          options.tokens};
}

EvalDocument generate_variables(const GeneratorOptions& options) {
  constexpr size_t kChains = 2;  // the second one is there to be mistaken for the first
  constexpr size_t kLinks = 4;
  SeededRandom random(options.seed, options.index);
  std::set<std::string> names;
  while (names.size() < kChains * kLinks) {
    std::string name;
    for (size_t i = 0; i < 4; ++i) name += static_cast<char>('A' + random.below(26));
    names.insert(name);
  }
  std::vector<std::string> variables(names.begin(), names.end());
  random.shuffle(variables);
  std::vector<std::string> lines;
  std::string answer;
  std::string asked;
  for (size_t i = 0; i < variables.size(); ++i) {
    const bool first = i % kLinks == 0;
    const std::string value = random.digits(5);
    lines.push_back(fmt::format("VAR {} = {}. ", variables[i], first ? value : "VAR " + variables[i - 1]));
    if (i == 0) asked = value;
    if (i < kLinks) answer += (i > 0 ? ", " : "") + variables[i];
  }
  // A chain must be told in order: a link's place is the one after that of the link before it.
  const std::vector<std::string> hay = hay_beside(lines, options, random);
  std::vector<std::string> pieces;
  for (size_t link = 0; link < kLinks; ++link) {
    std::vector<std::string> here;
    for (size_t chain = 0; chain < kChains; ++chain) here.push_back(lines[chain * kLinks + link]);
    const auto part = [&](size_t at) { return hay.begin() + static_cast<std::ptrdiff_t>(hay.size() * at / kLinks); };
    pieces.push_back(spread({part(link), part(link + 1)}, here, random) + ' ');
  }
  return {
      joined(pieces),
      {{fmt::format("Find all variables that are assigned the value {}, directly or by other variables. Answer with "
                    "their names.",
                    asked),
        answer, Metric::include_all}},
      {},
      options.tokens};
}

}  // namespace kvzip
