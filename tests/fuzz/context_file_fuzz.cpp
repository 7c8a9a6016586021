// libFuzzer target for context files (scripts/fuzz). Each input is tried as it is, and then with its checksums made
// right, so that what lies behind them is reached.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/parallel.h"
#include "kvzip/store/context_file.h"

namespace {

using namespace kvzip;  // NOLINT(google-build-using-namespace)

/// Reads whatever a file may offer.
void use(std::span<const std::byte> bytes) {
  std::optional<ContextFile> file;
  try {
    file.emplace(bytes, "fuzz", std::nullopt);
  } catch (const Error&) {
    return;
  }
  const auto attempt = [](const auto& call) {
    try {
      call();
    } catch (const Error&) {
      return;
    }
  };
  attempt([&] { file->verify(); });
  attempt([&] { file->tokens(); });
  attempt([&] { file->text(); });
  for (const std::optional<double> ratio : {std::optional<double>(), std::optional<double>(0.3)}) {
    attempt([&] {
      const ContextRows rows = file->rows({.ratio = ratio});
      unsigned sum = 0;
      for (const ContextRows::Head& head : rows.heads) {
        for (size_t i = 0; i < head.len * rows.shape.head_row_bytes(); ++i)
          sum += std::to_integer<unsigned>(head.k[i]) + std::to_integer<unsigned>(head.v[i]);
      }
      // So that the reads stay.
      if (sum == 0xFFFFFFFFU) file->text();
    });
  }
}

/// The same bytes with the file's size and all sums as a writer would have made them, as far as the description says
/// where they belong.
void repair(std::vector<std::byte>& bytes) {
  constexpr size_t kFlagsAt = 12, kSizeAt = 16, kDescriptionAt = 24;
  if (bytes.size() < kHeaderBytes) return;
  const BlockSums sums(std::nullopt);
  uint32_t flags = 0;
  std::memcpy(&flags, bytes.data() + kFlagsAt, sizeof(flags));
  FileHeader header{.zstd = (flags & 1U) != 0, .file_bytes = bytes.size()};
  std::memcpy(&header.description_bytes, bytes.data() + kDescriptionAt, sizeof(header.description_bytes));
  if (header.description_bytes > bytes.size() - kHeaderBytes) header.description_bytes = bytes.size() - kHeaderBytes;
  const std::span<std::byte> description = std::span(bytes).last(header.description_bytes);
  try {
    const ParsedDescription parsed = read_description(description, "fuzz");
    const ContextLayout layout(parsed.description, "fuzz");
    const size_t entry = (header.zstd ? sizeof(uint32_t) : 0) + sums.size();
    const std::span<std::byte> table = description.last(parsed.table.size());
    uint64_t packed_at = kHeaderBytes;
    for (const FileArray& array : layout.arrays()) {
      for (uint64_t block = 0; block < array.blocks(); ++block) {
        const uint64_t number = array.first_block + block;
        if ((number + 1) * entry > table.size()) break;
        uint32_t size = static_cast<uint32_t>(array.size_of(block));
        if (header.zstd) std::memcpy(&size, table.data() + number * entry, sizeof(size));
        const uint64_t at = header.zstd ? packed_at : array.offset + block * array.block_bytes;
        packed_at += size;
        if (at > bytes.size() || size > bytes.size() - at) break;
        const BlockSum sum = sums.sum(number, std::span(bytes).subspan(at, size));
        std::memcpy(table.data() + (number + 1) * entry - sums.size(), sum.data(), sums.size());
      }
    }
  } catch (const Error&) {
    // A description without a meaning has no blocks; its own sum is made right all the same.
  }
  header.description_sum = sums.sum(kDescriptionNumber, description);
  const std::vector<std::byte> fixed = write_header(header, sums);
  std::memcpy(bytes.data(), fixed.data(), fixed.size());
  static_assert(kSizeAt + sizeof(uint64_t) == kDescriptionAt);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kvzip::set_thread_count(1);
  const auto bytes = std::as_bytes(std::span(data, size));
  use(bytes);
  std::vector<std::byte> repaired(bytes.begin(), bytes.end());
  repair(repaired);
  use(repaired);
  return 0;
}
