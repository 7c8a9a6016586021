// The real model file, truncated and with damaged bytes: the reader opens it or throws kvzip::Error, and never crashes.
#include <gtest/gtest.h>

#include <algorithm>

#include "kvzip/model/gguf.h"
#include "tests/mutate.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

/// Swallows an error of a single look-up, as a caller would who asks for many.
template <class Look>
void look(const Look& look_up) {
  try {
    look_up();
  } catch (const Error&) {
    return;
  }
}

/// Opens, and asks for everything in every way.
void open_and_read_all(std::span<const std::byte> bytes) {
  const Gguf gguf = Gguf::from_bytes("damaged.gguf", bytes);
  for (const std::string_view key : gguf.keys()) {
    look([&] { gguf.find_string(key); });
    look([&] { gguf.find_uint(key); });
    look([&] { gguf.find_float(key); });
    look([&] { gguf.find_bool(key); });
    look([&] { gguf.ints(key); });
    look([&] { gguf.floats(key); });
    look([&] {
      size_t total = 0;
      for (const std::string_view text : gguf.strings(key))
        total += text.empty() ? 0 : text.size() + (text.back() == 'x');
      EXPECT_LE(total, 2 * bytes.size());
    });
  }
  for (const std::string_view name : gguf.tensor_names()) {
    look([&] {
      const StoredTensor tensor = gguf.tensor(name);
      ASSERT_GE(tensor.data.data(), bytes.data());
      ASSERT_LE(tensor.data.data() + tensor.data.size(), bytes.data() + bytes.size());
    });
  }
}

/// Where the first tensor's data begin, which is as far as the parser reads.
size_t header_bytes_of(std::span<const std::byte> file) {
  const Gguf gguf = Gguf::from_bytes("whole", file);
  const std::byte* first = file.data() + file.size();
  for (const std::string_view name : gguf.tensor_names()) first = std::min(first, gguf.tensor(name).data.data());
  return static_cast<size_t>(first - file.data());
}

TEST(GgufCorruption, WholeFileOpens) {
  const ScratchMapping file(default_model_path());
  EXPECT_NO_THROW(open_and_read_all(file.bytes()));
}

TEST(GgufCorruption, EveryTruncationIsRejected) {
  const ScratchMapping file(default_model_path());
  const MutationCounts counts = try_truncations(file.bytes(), header_bytes_of(file.bytes()), 200, open_and_read_all);
  EXPECT_EQ(counts.rejected, 200U);  // the last tensor reaches to the end of the file, so that any cut loses something
}

TEST(GgufCorruption, ByteFlipsOpenOrAreRejected) {
  const ScratchMapping file(default_model_path());
  const size_t header_bytes = header_bytes_of(file.bytes());
  const MutationCounts counts = try_byte_flips(file.bytes(), header_bytes, 2048, 2000, open_and_read_all);
  EXPECT_EQ(counts.opened + counts.rejected, 2000U);
  EXPECT_GT(counts.opened, 100U);    // most bytes are text, where another byte is as good
  EXPECT_GT(counts.rejected, 100U);  // lengths and types are not
}

/// The end of the header describes tensors: names, shapes, types, offsets.
TEST(GgufCorruption, FlipsInTensorDescriptionsOpenOrAreRejected) {
  const ScratchMapping file(default_model_path());
  const size_t header_bytes = header_bytes_of(file.bytes());
  std::mt19937_64 random(7);
  MutationCounts counts;
  for (size_t i = 0; i < 1000; ++i) {
    std::byte& byte = file.bytes()[header_bytes - 1 - random() % 16000];
    const std::byte before = byte;
    byte = static_cast<std::byte>(random());
    try_open(file.bytes(), "description", open_and_read_all, counts);
    byte = before;
  }
  EXPECT_GT(counts.opened, 50U);
  EXPECT_GT(counts.rejected, 200U);
}

}  // namespace
}  // namespace kvzip
