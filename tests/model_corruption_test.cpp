// The whole loader on a damaged model file: a model, or an Error that says what is wrong.
#include <gtest/gtest.h>

#include "kvzip/model/model.h"
#include "tests/mutate.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

class ModelCorruptionTest : public testing::Test {
 protected:
  size_t header_bytes() const {
    const Gguf whole = Gguf::from_bytes("whole.gguf", file_.bytes());
    const std::byte* first = file_.bytes().data() + file_.bytes().size();
    for (const std::string_view name : whole.tensor_names()) first = std::min(first, whole.tensor(name).data.data());
    return static_cast<size_t>(first - file_.bytes().data());
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  ScratchMapping file_{default_model_path()};
};

TEST_F(ModelCorruptionTest, ConfigurationAndWeightsOfFlippedHeaders) {
  size_t dense = 2048;  // the hyperparameters stand before the vocabulary
  const auto open = [&](std::span<const std::byte> bytes) {
    const Gguf file = Gguf::from_bytes("damaged.gguf", bytes);
    ModelConfig config = read_config(file);
    config.vocab = 49152;
    load_weights(file, config, *backend_, {});
  };
  const MutationCounts counts = try_byte_flips(file_.bytes(), header_bytes(), dense, 2000, open);
  EXPECT_EQ(counts.opened + counts.rejected, 2000U);
  EXPECT_GT(counts.rejected, 200U);
  EXPECT_GT(counts.opened, 100U);
}

// Indexing the vocabulary takes most of the time, so fewer of these.
TEST_F(ModelCorruptionTest, WholeModelsOfFlippedAndTruncatedFiles) {
  const auto open = [&](std::span<const std::byte> bytes) {
    Model::from_files(gguf_model_files(Gguf::from_bytes("damaged.gguf", bytes)), *backend_);
  };
  const size_t header = header_bytes();
  const MutationCounts flips = try_byte_flips(file_.bytes(), header, header, 100, open);
  EXPECT_EQ(flips.opened + flips.rejected, 100U);
  const MutationCounts cuts = try_truncations(file_.bytes(), header, 200, open);
  EXPECT_EQ(cuts.rejected, 200U);
}

}  // namespace
}  // namespace kvzip
