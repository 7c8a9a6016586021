#include "kvzip/store/block_sum.h"

#include <sodium.h>
#include <xxhash.h>

#include <cstring>

#include "kvzip/base/check.h"
#include "kvzip/base/mapped_file.h"

namespace kvzip {
namespace {

static_assert(sizeof(crypto_generichash_state) <= 384);

const unsigned char* raw(std::span<const std::byte> bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

/// libsodium chooses its code for this processor once.
void initialise() {
  static const int kReady = ::sodium_init();
  check(kReady >= 0, "libsodium starts");
}

}  // namespace

ContextKey read_context_key(const std::string& path) {
  const MappedFile file(path);
  auto bytes = file.bytes();
  ContextKey key{};
  if (bytes.size() == key.size()) {
    std::memcpy(key.data(), bytes.data(), key.size());
    return key;
  }
  while (!bytes.empty() && (bytes.back() == std::byte{'\n'} || bytes.back() == std::byte{'\r'}))
    bytes = bytes.first(bytes.size() - 1);
  size_t decoded = 0;
  const bool hex =
      bytes.size() == 2 * key.size() &&
      ::sodium_hex2bin(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                       reinterpret_cast<const char*>(bytes.data()), bytes.size(), nullptr, &decoded, nullptr) == 0;
  if (!hex || decoded != key.size()) {
    throw Error(ErrorCode::input, path + ": expected a key of 32 bytes or 64 hexadecimal digits, found " +
                                      std::to_string(file.bytes().size()) + " bytes of something else");
  }
  return key;
}

BlockSum BlockSums::sum(uint64_t number, std::span<const std::byte> bytes) const {
  BlockSum result{};
  if (!keyed()) {
    const XXH64_hash_t hash = ::XXH3_64bits_withSeed(bytes.data(), bytes.size(), number);
    std::memcpy(result.data(), &hash, sizeof(hash));
    return result;
  }
  initialise();
  crypto_generichash_state state;
  bool done = ::crypto_generichash_init(&state, raw(*key_), key_->size(), result.size()) == 0;
  done &= ::crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&number), sizeof(number)) == 0;
  done &= ::crypto_generichash_update(&state, raw(bytes), bytes.size()) == 0;
  done &= ::crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(result.data()), result.size()) == 0;
  check(done, "BLAKE2b takes any bytes");
  return result;
}

TextHash::TextHash() {
  initialise();
  auto* state = reinterpret_cast<crypto_generichash_state*>(state_.bytes.data());
  check(::crypto_generichash_init(state, nullptr, 0, 32) == 0, "BLAKE2b starts");
}

void TextHash::add(std::span<const std::byte> bytes) {
  auto* state = reinterpret_cast<crypto_generichash_state*>(state_.bytes.data());
  const uint64_t length = bytes.size();
  ::crypto_generichash_update(state, reinterpret_cast<const unsigned char*>(&length), sizeof(length));
  ::crypto_generichash_update(state, raw(bytes), bytes.size());
}

std::string TextHash::hex(size_t bytes) const {
  State copy = state_;
  unsigned char hash[32];
  ::crypto_generichash_final(reinterpret_cast<crypto_generichash_state*>(copy.bytes.data()), hash, sizeof(hash));
  char text[65];
  ::sodium_bin2hex(text, sizeof(text), hash, bytes);
  return text;
}

}  // namespace kvzip
