#include "kvzip/store/context_address.h"

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/store/block_sum.h"

namespace kvzip {
namespace {

constexpr size_t kAddressBytes = 16;

}  // namespace

std::string context_address(const Fingerprint& fingerprint, std::span<const TokenId> system,
                            std::span<const TokenId> document, const ContextSettings& settings) {
  TextHash hash;
  for (const FingerprintValue& each : fingerprint) {
    hash.add(each.name);
    hash.add(each.value);
  }
  hash.add(std::as_bytes(system));
  hash.add(std::as_bytes(document));
  hash.add(dtype_name(settings.kv_type));
  hash.add(level_name(settings.level));
  hash.add(settings.scoring);
  hash.add(settings.exact_weights ? "f32" : "stored");
  return hash.hex(kAddressBytes);
}

void expect_named(const ContextFile& file, const std::string& name) {
  const ContextDescription& about = file.description();
  const std::vector<TokenId> tokens = file.tokens();
  const auto all = std::span(tokens);
  for (const bool exact_weights : {false, true}) {  // files don't say
    if (name == context_address(about.fingerprint, all.first(about.system_tokens), all.subspan(about.system_tokens),
                                {.kv_type = about.shape.dtype,
                                 .level = about.level,
                                 .scoring = about.scoring,
                                 .exact_weights = exact_weights}))
      return;
  }
  throw Error(ErrorCode::input, file.path() + ": holds another context than its name says");
}

bool is_context_address(std::string_view name) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return name.size() == 2 * kAddressBytes && std::all_of(name.begin(), name.end(), is_digit);
}

}  // namespace kvzip
