#include "kvzip/eval/shard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"

namespace kvzip {
namespace {

constexpr size_t kMostShards = 1U << 20U;

std::optional<size_t> whole_number(std::string_view text) {
  const auto value = parse_number<size_t>(text);
  return value && *value <= kMostShards ? value : std::nullopt;
}

}  // namespace

Shard parse_shard(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const auto number = whole_number(text.substr(0, slash));
    const auto count = whole_number(text.substr(slash + 1));
    if (number && count && *number >= 1 && *number <= *count) return {.index = *number - 1, .count = *count};
  }
  throw Error(ErrorCode::usage, fmt::format("--shard {}: expected I/N with I from 1 to N", quote(text, 40)));
}

std::optional<Shard> shard_of_environment() {
  constexpr std::array<std::pair<const char*, const char*>, 2> kNames = {
      {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}}};
  for (const auto& [rank_name, size_name] : kNames) {
    const char* const rank_text = std::getenv(rank_name);
    const char* const size_text = std::getenv(size_name);
    if (rank_text == nullptr || size_text == nullptr) continue;
    const auto rank = whole_number(rank_text);
    const auto size = whole_number(size_text);
    if (rank && size && *rank < *size) return Shard{.index = *rank, .count = *size};
    throw Error(ErrorCode::usage, fmt::format("{} {} of {} {}: expected a rank below the size", rank_name,
                                              quote(rank_text, 20), size_name, quote(size_text, 20)));
  }
  return std::nullopt;
}

size_t fair_threads(size_t usable) {
  const auto processors = static_cast<size_t>(std::max(::sysconf(_SC_NPROCESSORS_ONLN), 1L));
  if (usable < processors) return 0;
  for (const char* const name : {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS"}) {
    const char* const text = std::getenv(name);
    const auto here = text != nullptr ? whole_number(text) : std::nullopt;
    if (here && *here > 1) return std::max<size_t>(processors / *here, 1);
  }
  return 0;
}

}  // namespace kvzip
