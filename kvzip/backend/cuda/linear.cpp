#include "kvzip/backend/cuda/linear.h"

#include <algorithm>
#include <bit>
#include <string>

#include "kvzip/backend/cuda/elementwise.h"
#include "kvzip/backend/cuda/rows.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

constexpr size_t kWorkspaceBytes = size_t{32} << 20U;  // what cuBLAS asks for on Hopper
constexpr size_t kUnpackedBytes = size_t{128} << 20U;  // any matrix of an 8B model but the output
constexpr size_t kRowStep = 64;                        // keeps stretches aligned
/// Every batch length is a shape of its own; beyond this many, all are chosen anew.
constexpr size_t kMostPlans = 4096;

cudaDataType_t data_type(DType dtype) { return dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F; }

/// The largest power of two that divides both, 256 at most: what cuBLASLt wants to know of an address and a stride.
size_t alignment_of(const void* data, size_t stride) {
  const uintptr_t bits = reinterpret_cast<uintptr_t>(data) | stride | 256;
  return size_t{1} << static_cast<unsigned>(std::countr_zero(bits));
}

}  // namespace

/// In cuBLAS's terms matrices are column-major: out^T [out, tokens] = weight [out, in] * x^T [in, tokens].
struct Linear::Plan {
  explicit Plan(const CublasLt& library) : lt(&library) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan() {
    if (operation != nullptr) lt->desc_destroy(operation);
    for (cublasLtMatrixLayout_t layout : {weight, x, out}) {
      if (layout != nullptr) lt->layout_destroy(layout);
    }
  }

  const CublasLt* lt;
  cublasLtMatmulDesc_t operation = nullptr;
  cublasLtMatrixLayout_t weight = nullptr;
  cublasLtMatrixLayout_t x = nullptr;
  cublasLtMatrixLayout_t out = nullptr;
  cublasLtMatmulAlgo_t algorithm{};
};

Linear::Linear(DeviceMemory& memory, cudaStream_t stream)
    : lt_(&cublas_lt()), stream_(stream), workspace_(memory), unpacked_(memory) {
  cublas_check(lt_->create(&handle_), "starting cuBLASLt");
}

Linear::~Linear() {
  plans_.clear();
  lt_->destroy(handle_);
}

Linear::Shape Linear::shape_of(const ConstView& x, const LinearPart& part) {
  return {x.rows,
          x.cols,
          part.weight.rows,
          x.stride,
          part.weight.stride,
          part.out.stride,
          alignment_of(x.data, x.stride),
          alignment_of(part.weight.data, part.weight.stride),
          alignment_of(part.out.data, part.out.stride),
          x.dtype,
          part.out.dtype,
          part.accumulate};
}

Linear::Plan& Linear::plan_for(const ConstView& x, const LinearPart& part) {
  const Shape shape = shape_of(x, part);
  if (const auto found = plans_.find(shape); found != plans_.end()) return *found->second;
  if (plans_.size() >= kMostPlans) plans_.clear();

  auto plan = std::make_unique<Plan>(*lt_);
  cublas_check(lt_->desc_create(&plan->operation, CUBLAS_COMPUTE_32F, CUDA_R_32F), "describing a product");
  const cublasOperation_t transposed = CUBLAS_OP_T;
  cublas_check(lt_->desc_set(plan->operation, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed)),
               "describing a product");
  const auto layout = [&](cublasLtMatrixLayout_t& to, const ConstView& view) {
    const size_t stride = view.stride / row_bytes(view.dtype, 1);
    cublas_check(lt_->layout_create(&to, data_type(view.dtype), view.cols, view.rows, static_cast<int64_t>(stride)),
                 "describing a matrix");
  };
  layout(plan->weight, part.weight);
  layout(plan->x, x);
  layout(plan->out, part.out);

  cublasLtMatmulPreference_t preference = nullptr;
  cublas_check(lt_->preference_create(&preference), "choosing a product's algorithm");
  const std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>, decltype(lt_->preference_destroy)> owner(
      preference, lt_->preference_destroy);
  const auto prefer = [&](cublasLtMatmulPreferenceAttributes_t attribute, auto value) {
    cublas_check(lt_->preference_set(preference, attribute, &value, sizeof(value)), "choosing a product's algorithm");
  };
  const auto aligned = [](const ConstView& view) {
    return static_cast<uint32_t>(alignment_of(view.data, view.stride));
  };
  prefer(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, kWorkspaceBytes);
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, aligned(part.weight));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, aligned(x));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, aligned(part.out));
  prefer(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, aligned(part.out));
  cublasLtMatmulHeuristicResult_t best{};
  int found = 0;
  cublas_check(lt_->heuristic(handle_, plan->operation, plan->weight, plan->x, plan->out, plan->out, preference, 1,
                              &best, &found),
               "choosing a product's algorithm");
  if (found == 0) {
    throw Error(ErrorCode::unsupported, "device cuda: cuBLASLt has no algorithm for a product of " +
                                            std::to_string(x.rows) + " x " + std::to_string(x.cols) + " x " +
                                            std::to_string(part.weight.rows));
  }
  plan->algorithm = best.algo;
  return *plans_.emplace(shape, std::move(plan)).first->second;
}

// A stretch of rows at a time, so that the output matrix of a large vocabulary needs no whole copy of itself.
void Linear::run_packed(const ConstView& x, const LinearPart& part) {
  const size_t stride = row_bytes(x.dtype, part.weight.cols);
  const size_t most = std::max(kUnpackedBytes / stride / kRowStep, size_t{1}) * kRowStep;
  for (size_t first = 0; first < part.weight.rows; first += most) {
    const size_t rows = std::min(most, part.weight.rows - first);
    const View unpacked{unpacked_.at_least(rows * stride), x.dtype, rows, part.weight.cols, stride};
    convert(rows_of(part.weight, first, rows), unpacked, stream_);
    View out = part.out;
    out.data = static_cast<std::byte*>(out.data) + row_bytes(out.dtype, first);
    out.cols = rows;
    run(x, {unpacked, part.bias == nullptr ? nullptr : part.bias + first, out, part.accumulate});
  }
}

void Linear::run(const ConstView& x, const LinearPart& part) {
  if (x.rows > 0 && is_quantised(part.weight.dtype)) return run_packed(x, part);
  check(x.dtype == part.weight.dtype && (x.dtype == DType::f32 || x.dtype == DType::bf16),
        "linear: x and the weight are f32 or bf16, both the same");
  check(part.out.dtype == DType::f32 || part.out.dtype == x.dtype, "linear: out is f32 or of x's type");
  if (x.rows == 0 || part.weight.rows == 0) return;
  const Plan& plan = plan_for(x, part);
  const float one = 1;
  const float beta = part.accumulate ? 1 : 0;
  cublas_check(lt_->matmul(handle_, plan.operation, &one, part.weight.data, plan.weight, x.data, plan.x, &beta,
                           part.out.data, plan.out, part.out.data, plan.out, &plan.algorithm,
                           workspace_.at_least(kWorkspaceBytes), kWorkspaceBytes, stream_),
               "a matrix product");
  if (part.bias != nullptr) add_bias(part.out, part.bias, stream_);
}

}  // namespace kvzip::cuda
