// For the conformance tests: a backend under test and matrices in its memory, with gaps between rows that an operation
// must not touch.
#pragma once

#include <gtest/gtest.h>

#include <bit>
#include <cstdlib>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kvzip/backend/backend.h"
#include "kvzip/backend/cpu/convert.h"
#include "kvzip/backend/cpu/cpu_test_util.h"

namespace kvzip::conformance {

struct Case {
  std::string device;
  Precision precision;
};

/// For messages of gtest.
inline void PrintTo(const Case& one, std::ostream* out) {
  *out << one.device << (one.precision == Precision::exact ? ", exact" : ", fast");
}

inline std::vector<Case> all_cases() {
  return {{"cpu", Precision::exact}, {"cpu", Precision::fast}, {"cuda", Precision::exact}, {"cuda", Precision::fast}};
}

inline std::string case_name(const testing::TestParamInfo<Case>& info) {
  return info.param.device + (info.param.precision == Precision::exact ? "_exact" : "_fast");
}

/// Tests of a backend; those of a GPU are skipped where there is none, unless KVZIP_REQUIRE_GPU is set.
class BackendTest : public testing::TestWithParam<Case> {
 protected:
  void SetUp() override {
    try {
      backend_ = make_backend(GetParam().device);
      backend_->set_precision(GetParam().precision);
    } catch (const std::exception& error) {
      if (GetParam().device == "cpu" || std::getenv("KVZIP_REQUIRE_GPU") != nullptr) throw;
      GTEST_SKIP() << error.what();
    }
  }

  DType activations() const { return backend_->activation_type(); }
  bool is_exact() const { return GetParam().precision == Precision::exact; }
  /// Half a unit in the last place of what an operation writes, relative: bf16 keeps 8 bits, f32 24.
  double rounding(DType dtype) const { return dtype == DType::bf16 ? 1.0 / 256 : 1e-6; }

  std::unique_ptr<Backend> backend_;
  Random random_{77};
};

/// The nearest value that `dtype` can hold.
inline float rounded(float value, DType dtype) {
  if (dtype == DType::f32) return value;
  std::byte stored[4];
  float result = 0;
  convert_from_f32(&value, dtype, stored, 1);
  convert_to_f32(dtype, stored, &result, 1);
  return result;
}

/// Bytes in a backend's memory.
class DeviceBytes {
 public:
  DeviceBytes(Backend& backend, const void* from, size_t bytes) : backend_(&backend), buffer_(backend, bytes) {
    backend.upload(buffer_.data(), from, bytes);
  }
  template <class T>
  DeviceBytes(Backend& backend, const std::vector<T>& from)
      : DeviceBytes(backend, from.data(), from.size() * sizeof(T)) {}

  void* data() const { return buffer_.data(); }
  template <class T>
  std::vector<T> download() const {
    std::vector<T> values(buffer_.bytes() / sizeof(T));
    backend_->download(values.data(), buffer_.data(), buffer_.bytes());
    return values;
  }

 private:
  Backend* backend_;
  Buffer buffer_;
};

/// A random matrix of activations whose rows are `gap` values longer than they say. `host` holds what the device had
/// first, or what read() found.
class DeviceMatrix {
 public:
  DeviceMatrix(Backend& backend, DType dtype, const TestMatrix& values)
      : host(values), dtype_(dtype), memory_(backend, encode(host, dtype)) {}
  DeviceMatrix(Backend& backend, DType dtype, size_t rows, size_t cols, size_t gap, Random& random)
      : DeviceMatrix(backend, dtype, TestMatrix(rows, cols, gap, random)) {}

  View view() const { return {memory_.data(), dtype_, host.rows, host.cols, row_bytes(dtype_, host.stride)}; }
  /// Reads all values back; fails where one between the rows has changed.
  void read() {
    const auto bytes = memory_.download<std::byte>();
    const float gap = rounded(kGapValue, dtype_);
    for (size_t row = 0; row < host.rows; ++row) {
      float* const values = &host.values[row * host.stride];
      convert_to_f32(dtype_, bytes.data() + row * row_bytes(dtype_, host.stride), values, host.stride);
      for (size_t col = host.cols; col < host.stride; ++col) {
        ASSERT_EQ(values[col], gap) << "written beyond row " << row;
      }
    }
  }

  TestMatrix host;

 private:
  /// Rounds the values to what the device will see.
  static std::vector<std::byte> encode(TestMatrix& matrix, DType dtype) {
    std::vector<std::byte> bytes(row_bytes(dtype, matrix.values.size()));
    for (float& value : matrix.values) value = rounded(value, dtype);
    convert_from_f32(matrix.values.data(), dtype, bytes.data(), matrix.values.size());
    return bytes;
  }

  DType dtype_;
  DeviceBytes memory_;
};

}  // namespace kvzip::conformance
