#include "kvzip/store/context_address.h"

#include <algorithm>

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

bool is_context_address(std::string_view name) {
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return name.size() == 2 * kAddressBytes && std::all_of(name.begin(), name.end(), is_digit);
}

}  // namespace kvzip
