#include "kvzip/backend/cpu/ggml_traits.h"

#include <ggml-cpu.h>
#include <ggml.h>

#include <array>
#include <cstring>

#include "kvzip/base/check.h"

namespace kvzip {
namespace {

constexpr std::array<ggml_type, kDTypeCount> kGgmlTypes = {
    GGML_TYPE_F32,  GGML_TYPE_F16,  GGML_TYPE_BF16, GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,
    GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q8_0, GGML_TYPE_Q2_K,   GGML_TYPE_Q3_K,
    GGML_TYPE_Q4_K, GGML_TYPE_Q5_K, GGML_TYPE_Q6_K, GGML_TYPE_IQ4_NL, GGML_TYPE_IQ4_XS,
};

ggml_type ggml_type_of(DType dtype) { return kGgmlTypes.at(static_cast<size_t>(dtype)); }

/// Traits of `type`, once ggml has filled its f16 tables, which its decoders and dot products read.
const ggml_type_traits_cpu& cpu_traits(ggml_type type) {
  static const bool kReady = [] {
    ggml_cpu_init();
    return true;
  }();
  check(kReady, "ggml is initialised");
  return *ggml_get_type_traits_cpu(type);
}

}  // namespace

RowDot ggml_row_dot(DType weight) { return cpu_traits(ggml_type_of(weight)).vec_dot; }

ActivationFormat ggml_activation_format(DType weight) {
  return static_cast<ActivationFormat>(cpu_traits(ggml_type_of(weight)).vec_dot_type);
}

size_t ggml_activation_bytes(ActivationFormat format, size_t values) {
  return ggml_row_size(static_cast<ggml_type>(format), static_cast<int64_t>(values));
}

void ggml_encode_activations(ActivationFormat format, const float* in, void* out, size_t values) {
  const auto type = static_cast<ggml_type>(format);
  if (type == GGML_TYPE_F32) {
    std::memcpy(out, in, values * sizeof(float));
  } else {
    cpu_traits(type).from_float(in, out, static_cast<int64_t>(values));
  }
}

void ggml_decode_row(DType dtype, const void* row, float* out, size_t values) {
  const ggml_type type = ggml_type_of(dtype);
  cpu_traits(type);
  if (type == GGML_TYPE_F32) {
    std::memcpy(out, row, values * sizeof(float));
  } else {
    ggml_get_type_traits(type)->to_float(row, out, static_cast<int64_t>(values));
  }
}

void ggml_encode_row(DType dtype, const float* in, void* row, size_t values) {
  ggml_encode_activations(static_cast<ActivationFormat>(ggml_type_of(dtype)), in, row, values);
}

}  // namespace kvzip
