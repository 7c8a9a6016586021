#include <algorithm>
#include <cmath>
#include <numbers>

#include "kvzip/backend/cuda/attend_decode.h"
#include "kvzip/backend/cuda/attend_merge.cuh"
#include "kvzip/backend/cuda/attend_piece.cuh"
#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/backend/cuda/kernel_launch.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

constexpr int kMaxThreads = 256;

template <int kHeadDim>
__device__ void attend_piece_of(const DecodeParams& params, const Piece& piece, const Piece& following,
                                TilePipeline<kHeadDim>& pipeline, WarpResult<kHeadDim>* results) {
  switch (params.segments[piece.item.segment].dtype) {
    case DType::f16:
      return attend_piece<HalfTile<__half, kHeadDim>>(params, piece, following, pipeline, results);
    case DType::bf16:
      return attend_piece<HalfTile<__nv_bfloat16, kHeadDim>>(params, piece, following, pipeline, results);
    case DType::q8_0:
      return attend_piece<QuantTile<8, kHeadDim>>(params, piece, following, pipeline, results);
    default:
      return attend_piece<QuantTile<4, kHeadDim>>(params, piece, following, pipeline, results);
  }
}

template <int kHeadDim>
__device__ void start_first_tiles(const DecodeParams& params, const Piece& piece, TilePipeline<kHeadDim>& pipeline) {
  for (int i = 0; i < kAhead; ++i) pipeline.start(params, piece, i);
}

template <int kHeadDim>
__global__ void __launch_bounds__(kMaxThreads, 1) pieces_kernel(const __grid_constant__ DecodeParams params) {
  extern __shared__ __align__(128) char shared[];
  TilePipeline<kHeadDim> pipeline(params, shared);
  auto* results = reinterpret_cast<WarpResult<kHeadDim>*>(shared + blockDim.x / 32 * kStages * kTileBytes<kHeadDim>);
  PieceWalk walk(params.plan, static_cast<int>(blockIdx.x));
  Piece piece = walk.next();
  // Rows without positions are a finished context's; others may still be being written.
  const bool begin_early = piece.exists() && !params.segments[piece.item.segment].positional;
  if (begin_early) start_first_tiles(params, piece, pipeline);
  wait_for_previous_kernel();
  let_next_kernel_start();
  if (!begin_early) start_first_tiles(params, piece, pipeline);
  while (piece.exists()) {
    const Piece following = walk.next();
    attend_piece_of<kHeadDim>(params, piece, following, pipeline, results);
    piece = following;
  }
}

struct Kernel {
  size_t head_dim;
  void (*pieces)(DecodeParams);
  void (*merge)(DecodeParams);
  int bytes_per_warp;  ///< shared memory of the first
};

template <int kHeadDim>
constexpr Kernel kernel() {
  return {kHeadDim, pieces_kernel<kHeadDim>, merge_kernel<kHeadDim>, kBytesPerWarp<kHeadDim>};
}

constexpr Kernel kKernels[] = {kernel<64>(), kernel<80>(), kernel<96>(), kernel<128>(), kernel<256>()};

const Kernel* find_kernel(size_t head_dim) {
  const auto* found = std::find_if(std::begin(kKernels), std::end(kKernels),
                                   [&](const Kernel& kernel) { return kernel.head_dim == head_dim; });
  return found == std::end(kKernels) ? nullptr : found;
}

struct DeviceLimits {
  int device = -1;
  int processors = 0;
  int shared_bytes = 0;  ///< that the kernels here may have per block
  int compute_capability = 0;
};

struct Launch {
  cudaLaunchAttribute attribute{};
  cudaLaunchConfig_t config{};

  Launch(dim3 grid, int threads, int shared_bytes, cudaStream_t stream) {
    config.gridDim = grid;
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.dynamicSmemBytes = static_cast<size_t>(shared_bytes);
    config.stream = stream;
    config.attrs = &attribute;
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
  }
  void overlap_previous(bool overlap) { config.numAttrs = overlap ? 1 : 0; }
};

DeviceLimits find_limits(int device) {
  constexpr int kReserved = 1024;  // for what kernels declare
  DeviceLimits limits;
  limits.device = device;
  cuda_check(cudaDeviceGetAttribute(&limits.processors, cudaDevAttrMultiProcessorCount, device), "asking for its size");
  cuda_check(cudaDeviceGetAttribute(&limits.shared_bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device),
             "asking for its shared memory");
  cuda_check(cudaDeviceGetAttribute(&limits.compute_capability, cudaDevAttrComputeCapabilityMajor, device),
             "asking for its kind");
  limits.shared_bytes -= kReserved;
  for (const Kernel& kernel : kKernels) {
    cuda_check(cudaFuncSetAttribute(kernel.pieces, cudaFuncAttributeMaxDynamicSharedMemorySize, limits.shared_bytes),
               "shared memory of decode attention");
  }
  return limits;
}

/// Of the current GPU, asked once by each thread: the answer takes as long as a launch.
const DeviceLimits& device_limits() {
  thread_local DeviceLimits limits;
  int device = 0;
  cuda_check(cudaGetDevice(&device), "asking for the device");
  if (limits.device != device) limits = find_limits(device);
  return limits;
}

/// How the blocks of a launch are built.
struct Layout {
  int warps;
  int warps_per_stream;
  int slot_rows;
};

/// No warps: the device has too little shared memory.
Layout layout_for(const Kernel& kernel, size_t rows, int shared_bytes) {
  Layout layout{8, 1, 0};
  while (layout.warps > 0 && layout.warps * kernel.bytes_per_warp > shared_bytes) layout.warps /= 2;
  while (layout.warps_per_stream < layout.warps && static_cast<size_t>(layout.warps_per_stream) * kTileKeys < rows) {
    layout.warps_per_stream *= 2;
  }
  layout.slot_rows = std::min(layout.warps_per_stream * kTileKeys, static_cast<int>(rows));
  return layout;
}

bool readable(const DecodeSegment& segment) {
  if (segment.dtype != DType::f16 && segment.dtype != DType::bf16 && segment.dtype != DType::q8_0 &&
      segment.dtype != DType::q4_0) {
    return false;
  }
  return std::all_of(segment.heads.begin(), segment.heads.end(), [](const KvRows& rows) {
    return (reinterpret_cast<uintptr_t>(rows.k) | reinterpret_cast<uintptr_t>(rows.v)) % 16 == 0 &&
           rows.len < size_t{1} << 30;
  });
}

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// Blocks of query rows that look at a segment's rows together.
int blocks_of(const DecodeArgs& args, const DecodeSegment& segment, const Layout& layout) {
  const size_t rows = args.tokens * args.group * (segment.per_question ? 1 : args.questions);
  const size_t rows_per_block = static_cast<size_t>(layout.warps_per_stream) * kTileKeys;
  return static_cast<int>((rows + rows_per_block - 1) / rows_per_block);
}

size_t items_of(const DecodeArgs& args, const Layout& layout) {
  size_t per_head = 0;
  for (const DecodeSegment& segment : args.segments) {
    per_head += static_cast<size_t>(blocks_of(args, segment, layout)) * (segment.per_question ? args.questions : 1);
  }
  return per_head * args.kv_heads;
}

DecodeParams make_params(const DecodeArgs& args, const Layout& layout) {
  DecodeParams params{};
  params.q = args.q.data;
  params.out = args.out.data;
  params.q_type = args.q.dtype;
  params.out_type = args.out.dtype;
  params.q_stride = static_cast<int64_t>(args.q.stride);
  params.out_stride = static_cast<int64_t>(args.out.stride);
  params.questions = static_cast<int>(args.questions);
  params.tokens = static_cast<int>(args.tokens);
  params.kv_heads = static_cast<int>(args.kv_heads);
  params.group = static_cast<int>(args.group);
  params.head_dim = static_cast<int>(args.head_dim);
  params.factor = args.scale * std::numbers::log2e_v<float>;
  params.window = args.window == 0 ? 1 << 30 : static_cast<int>(args.window);
  std::transform(args.positions.begin(), args.positions.end(), params.positions,
                 [](size_t position) { return static_cast<int>(position); });
  params.warps_per_stream = layout.warps_per_stream;
  params.slot_rows = layout.slot_rows;
  int row_sets = 0;
  for (const DecodeSegment& segment : args.segments) {
    DecodeSegmentParams& to = params.segments[params.segment_count++];
    to.first_row_set = row_sets;
    to.dtype = segment.dtype;
    to.per_question = segment.per_question;
    to.positional = segment.positional;
    to.first_position = static_cast<int>(segment.first_position);
    to.blocks = blocks_of(args, segment, layout);
    to.first_item = params.items_per_head;
    params.items_per_head += to.blocks * static_cast<int>(segment.per_question ? args.questions : 1);
    std::copy(segment.heads.begin(), segment.heads.end(), params.rows + row_sets);
    row_sets += static_cast<int>(segment.heads.size());
  }
  return params;
}

/// Query rows of all slots.
size_t slot_rows(const Layout& layout, int grid) {
  return (static_cast<size_t>(grid) + kMaxItems) * static_cast<size_t>(layout.slot_rows);
}

}  // namespace

bool can_attend_decode(const DecodeArgs& args) {
  const Kernel* kernel = find_kernel(args.head_dim);
  if (kernel == nullptr || args.segments.size() > kMaxSegments || !is_float(args.q.dtype) ||
      !is_float(args.out.dtype) || args.questions * args.tokens == 0 || args.questions > kMaxRowSets) {
    return false;
  }
  size_t row_sets = 0;
  for (const DecodeSegment& segment : args.segments) {
    if (!readable(segment)) return false;
    row_sets += segment.heads.size();
  }
  if (row_sets > kMaxRowSets) return false;
  const Layout layout = layout_for(*kernel, args.questions * args.tokens * args.group, device_limits().shared_bytes);
  return layout.warps > 0 && items_of(args, layout) <= kMaxItems;
}

size_t attend_decode_workspace_bytes(size_t rows, size_t head_dim) {
  const Kernel* kernel = find_kernel(head_dim);
  check(kernel != nullptr, "decode attention handles the shape");
  const DeviceLimits& limits = device_limits();
  const Layout layout = layout_for(*kernel, rows, limits.shared_bytes);
  return slot_rows(layout, limits.processors) * (head_dim * sizeof(float) + sizeof(float2));
}

void attend_decode(const DecodeArgs& args, void* workspace, cudaStream_t stream) {
  check(can_attend_decode(args) && args.positions.size() == args.questions, "decode attention handles its arguments");
  const Kernel& kernel = *find_kernel(args.head_dim);
  const DeviceLimits& limits = device_limits();
  check(limits.processors + static_cast<int>(kMaxSegments) <= kMaxRowPieces, "a row's pieces fit their list");
  const Layout layout = layout_for(kernel, args.questions * args.tokens * args.group, limits.shared_bytes);
  DecodeParams params = make_params(args, layout);
  params.partial_out = static_cast<float*>(workspace);
  const int grid = limits.processors;
  params.partial_sums = reinterpret_cast<float2*>(params.partial_out + slot_rows(layout, grid) * args.head_dim);

  make_plan(params, grid);

  const int shared_bytes = layout.warps * kernel.bytes_per_warp;
  const bool can_overlap = limits.compute_capability >= 9;
  Launch pieces(dim3(static_cast<unsigned>(grid)), layout.warps * 32, shared_bytes, stream);
  pieces.overlap_previous(can_overlap && args.overlap_previous);
  const KernelParameter parameters[] = {{&params, sizeof(params)}};
  launch_kernel({reinterpret_cast<const void*>(kernel.pieces), pieces.config, parameters});
  const size_t rows = args.questions * args.tokens * args.group;
  Launch merge(dim3(static_cast<unsigned>(rows), static_cast<unsigned>(args.kv_heads)), kMergeThreads, 0, stream);
  merge.overlap_previous(can_overlap);
  launch_kernel({reinterpret_cast<const void*>(kernel.merge), merge.config, parameters});
}

}  // namespace kvzip::cuda
