// The seeds of the fuzz target for context files: small ones, of the format as it is now.
#include <gtest/gtest.h>

#include <cstdlib>

#include "kvzip/store/context_file_test_data.h"

namespace kvzip {
namespace {

// KVZIP_WRITE_SEEDS=1 makes them again, after a change of the format.
TEST(FuzzSeeds, AreContextFiles) {
  for (const bool zstd : {false, true}) {
    const std::string path =
        KVZIP_SOURCE_DIR "/tests/fuzz/corpus/context_file/" + std::string(zstd ? "packed.kvz" : "plain.kvz");
    MadeUpDocument document(91, {.kv_heads = 2, .head_dim = 8, .windows = {0, 5}, .dtype = DType::f16}, 2, 12);
    if (std::getenv("KVZIP_WRITE_SEEDS") != nullptr)  // NOLINT(concurrency-mt-unsafe)
      document.write(path, Level::pair, 0.7, {.zstd = zstd});
    const ContextFile file = ContextFile::open(path);
    file.verify();
    EXPECT_EQ(file.description().held.len, 12U);
  }
}

}  // namespace
}  // namespace kvzip
