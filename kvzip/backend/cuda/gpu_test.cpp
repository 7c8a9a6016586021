// Tests of this folder need a GPU: without one they are skipped, unless KVZIP_REQUIRE_GPU is set.
#include <cuda_runtime_api.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace kvzip::cuda {
namespace {

class NeedsGpu : public testing::Environment {
 public:
  void SetUp() override {
    int devices = 0;
    const cudaError_t status = cudaGetDeviceCount(&devices);
    if (status == cudaSuccess && devices > 0) return;
    if (std::getenv("KVZIP_REQUIRE_GPU") != nullptr) FAIL() << cudaGetErrorString(status);
    GTEST_SKIP() << "no GPU: " << cudaGetErrorString(status);
  }
};

const testing::Environment* const kNeedsGpu = testing::AddGlobalTestEnvironment(new NeedsGpu);

TEST(GpuTest, IsRecentEnough) {
  int major = 0;
  ASSERT_EQ(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0), cudaSuccess);
  EXPECT_GE(major, 8);
}

}  // namespace
}  // namespace kvzip::cuda
