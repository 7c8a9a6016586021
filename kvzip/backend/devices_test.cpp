// Backends by name. Whether a GPU is there or not, the answer is a backend or one clear error.
#include <gtest/gtest.h>

#include <string>

#include "kvzip/backend/backend.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

TEST(DevicesTest, TheCpuHasAName) { EXPECT_EQ(make_backend("cpu")->name(), "cpu"); }

TEST(DevicesTest, OtherNamesAreErrorsThatNameTheChoices) {
  for (const std::string name : {"", "gpu", "CUDA", "cuda:", "cuda:x", "cuda:1x", "cuda:-1", "cuda: 1",
                                 "cuda:99999999999999999999999", "cpu:0"}) {
    try {
      make_backend(name);
      FAIL() << "no error for '" << name << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage) << name;
      EXPECT_NE(std::string(error.what()).find("'" + name + "': expected cpu, cuda or cuda:N"), std::string::npos);
    }
  }
}

TEST(DevicesTest, AGpuIsFoundOrMissedInOneClearLine) {
  for (const std::string name : {"cuda", "cuda:0", "cuda:4000"}) {
    try {
      EXPECT_EQ(make_backend(name)->name(), "cuda");
      EXPECT_NE(name, "cuda:4000");
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_TRUE(error.code() == ErrorCode::unsupported || error.code() == ErrorCode::memory) << what;
      EXPECT_TRUE(what.starts_with("device cuda")) << what;
      EXPECT_EQ(what.find('\n'), std::string::npos) << what;
    }
  }
}

}  // namespace
}  // namespace kvzip
