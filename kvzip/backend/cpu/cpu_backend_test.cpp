// The backend itself: memory, and the checks that stand before every operation.
#include "kvzip/backend/cpu/cpu_backend.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <limits>

#include "kvzip/backend/cpu/cpu_memory.h"
#include "kvzip/base/error.h"

namespace kvzip {
namespace {

TEST(CpuMemoryTest, BlocksOfAllSizesAreAlignedWritableAndFreed) {
  for (const size_t bytes : {size_t{1}, size_t{63}, size_t{4096}, size_t{300000}, size_t{5000001}}) {
    void* data = acquire_cpu_memory(bytes);
    ASSERT_EQ(reinterpret_cast<uintptr_t>(data) % 64, 0U);
    static_cast<char*>(data)[0] = 1;
    static_cast<char*>(data)[bytes - 1] = 2;
    release_cpu_memory(data, bytes);
  }
}

TEST(CpuMemoryTest, WhatDoesNotFitIsAnErrorThatNamesTheSize) {
  for (const size_t bytes : {size_t{1} << 50, std::numeric_limits<size_t>::max()}) {
    try {
      acquire_cpu_memory(bytes);
      FAIL() << "no error for " << bytes;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::memory);
      EXPECT_NE(std::string(error.what()).find(std::to_string(bytes)), std::string::npos) << error.what();
    }
  }
}

/// Bytes of this process that are in memory: the second number of statm counts pages.
size_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  size_t total = 0;
  size_t resident = 0;
  file >> total >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

TEST(CpuMemoryTest, ReleasedMemoryGoesBackToTheSystem) {
  constexpr size_t kBytes = size_t{64} << 20;
  const size_t before = resident_bytes();
  void* data = acquire_cpu_memory(kBytes);
  std::memset(data, 1, kBytes);
  EXPECT_GE(resident_bytes(), before + kBytes * 9 / 10);
  release_cpu_memory(data, kBytes);
  EXPECT_LE(resident_bytes(), before + kBytes / 10);
}

TEST(CpuMemoryTest, ScratchKeepsItsBlockUntilMoreIsNeeded) {
  Scratch scratch;
  void* first = scratch.at_least(1000);
  EXPECT_EQ(scratch.at_least(10), first);
  static_cast<char*>(scratch.at_least(100000))[99999] = 1;
}

TEST(CpuBackendTest, DescribesItself) {
  const auto backend = make_cpu_backend();
  EXPECT_EQ(backend->name(), "cpu");
  EXPECT_NE(backend->description().find("threads"), std::string::npos);
  EXPECT_GT(backend->available_memory(), size_t{1} << 20);
}

TEST(CpuBackendTest, AdoptedMemoryIsUsedInPlace) {
  const auto backend = make_cpu_backend();
  const std::array<float, 4> values{};
  Buffer keep_alive;
  const ConstView adopted = backend->adopt({values.data(), DType::f32, 1, 4, 16}, keep_alive);
  EXPECT_EQ(adopted.data, values.data());
  EXPECT_EQ(keep_alive.bytes(), 0U);
}

TEST(CpuBackendTest, ContradictingShapesAreInternalErrors) {
  const auto backend = make_cpu_backend();
  std::array<float, 64> values{};
  const auto view = [&](size_t rows, size_t cols) {
    return View{values.data(), DType::f32, rows, cols, cols * sizeof(float)};
  };
  const std::array<int32_t, 1> bad_id = {9};
  const std::array<KvRows, 3> heads{};
  const LinearPart part{view(2, 8), nullptr, view(3, 3), false};
  EXPECT_THROW(backend->convert(view(2, 2), view(2, 3)), Error);
  EXPECT_THROW(backend->embed(bad_id, view(9, 4), 1, view(1, 4)), Error);
  EXPECT_THROW(backend->rms_norm(view(2, 4), values.data(), 0, view(2, 5)), Error);
  EXPECT_THROW(backend->layer_norm(view(2, 4), values.data(), values.data(), 0, view(3, 4)), Error);
  EXPECT_THROW(backend->linear(view(3, 8), {&part, 1}), Error);
  EXPECT_THROW(backend->gated_activation(view(2, 4), view(1, 4), Activation::silu), Error);
  const View no_f32{view(2, 4).data, DType::f16, 2, 4, 8};
  EXPECT_THROW(backend->activate(no_f32, Activation::silu), Error);
  EXPECT_THROW(backend->add(view(2, 4), view(2, 3)), Error);
  EXPECT_THROW(backend->rope(view(2, 8), 3, view(2, 2), RopePairing::halves), Error);
  EXPECT_THROW(backend->rope(view(2, 8), 4, view(2, 6), RopePairing::halves), Error);
  EXPECT_THROW(backend->store_kv(view(2, 8), view(2, 8), heads, DType::f16, 0), Error);
}

TEST(CpuBackendTest, NothingToDoIsDone) {
  const auto backend = make_cpu_backend();
  std::array<float, 4> values{};
  const View none{values.data(), DType::f32, 0, 4, 16};
  const LinearPart part{View{values.data(), DType::f32, 1, 4, 16}, nullptr, View{values.data(), DType::f32, 0, 1, 4},
                        false};
  backend->embed({}, none, 1, none);
  backend->rms_norm(none, values.data(), 0, none);
  backend->layer_norm(none, values.data(), values.data(), 0, none);
  backend->linear(none, {&part, 1});
  backend->activate(none, Activation::silu);
  backend->add(none, none);
  backend->copy(nullptr, nullptr, 0);
}

}  // namespace
}  // namespace kvzip
