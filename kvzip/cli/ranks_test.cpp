// Lists of devices, as the user may write them.
#include "kvzip/cli/ranks.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"

namespace kvzip::cli {
namespace {

using Devices = std::vector<std::string>;

TEST(DeviceListTest, OneOrSeveral) {
  EXPECT_EQ(device_list("cpu", 0), Devices({"cpu"}));
  EXPECT_EQ(device_list("cuda", 0), Devices({"cuda"}));
  EXPECT_EQ(device_list("cuda:3", 0), Devices({"cuda:3"}));
  EXPECT_EQ(device_list("cuda:0,1", 0), Devices({"cuda:0", "cuda:1"}));
  EXPECT_EQ(device_list("cuda:2,cuda:0,5", 0), Devices({"cuda:2", "cuda:0", "cuda:5"}));
  EXPECT_EQ(device_list("cpu,cpu,cpu", 0), Devices({"cpu", "cpu", "cpu"}));
  EXPECT_EQ(device_list("cpu", 1), Devices({"cuda:0"}));
  EXPECT_EQ(device_list("cuda", 3), Devices({"cuda:0", "cuda:1", "cuda:2"}));
}

TEST(DeviceListTest, NonsenseIsLeftToWhoMakesTheDevice) {
  EXPECT_EQ(device_list("gpu", 0), Devices({"gpu"}));
  EXPECT_EQ(device_list("", 0), Devices({""}));
}

TEST(DeviceListTest, ContradictionsAreErrors) {
  const auto expect = [](const std::string& device, size_t gpus, const std::string& part) {
    try {
      device_list(device, gpus);
      ADD_FAILURE() << "no error for " << device;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::usage);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  };
  expect("cuda:0,0", 0, "found cuda:0 twice");
  expect("cuda:1,cuda:0,1", 0, "found cuda:1 twice");
  expect("cpu,cuda", 0, "devices of one kind");
  expect("cuda:0,", 0, "devices of one kind");
  expect("cuda:1", 2, "found cuda:1");
}

}  // namespace
}  // namespace kvzip::cli
