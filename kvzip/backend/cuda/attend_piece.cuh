// A thread block's work on pieces: its warps, their tiles in shared memory, the pipeline of copies.
//
// The block's warps form streams. The warps of a stream hold different query rows and share their keys, in tiles of 16
// rows per warp; the streams of a block take turns on the piece's tiles. Each stream has three tiles per warp in shared
// memory: while one is multiplied two arrive. The pipeline runs on from piece to piece: what a piece costs besides its
// keys, such as the merge of the streams' results, happens while the next piece's first tiles are under way.
#pragma once

#include "kvzip/backend/cuda/attend_softmax.cuh"

namespace kvzip::cuda {

/// Where this thread stands among the block's streams.
struct StreamPlace {
  int lane;
  int member;  ///< of its stream
  int stream;
  int streams;
  int warps;  ///< in a stream

  __device__ explicit StreamPlace(const DecodeParams& params)
      : lane(threadIdx.x % 32),
        member(threadIdx.x / 32 % params.warps_per_stream),
        stream(threadIdx.x / 32 / params.warps_per_stream),
        streams(blockDim.x / 32 / params.warps_per_stream),
        warps(params.warps_per_stream) {}

  /// Waits for the warps of the stream; __syncthreads() has barrier 0.
  __device__ void sync() const {
    if (warps == 1) {
      __syncwarp();
    } else if (streams == 1) {
      __syncthreads();
    } else {
      meet(1 + stream, warps * 32);
    }
  }
};

/// Bytes of a tile of 16 keys and 16 values of the widest type.
template <int kHeadDim>
constexpr int kTileBytes = 2 * HalfTile<__half, kHeadDim>::kBytes;

inline constexpr int kStages = 3;
inline constexpr int kAhead = kStages - 1;  ///< tiles whose copies are under way

/// Shared memory of a block: tiles of all warps, then their results.
template <int kHeadDim>
constexpr int kBytesPerWarp = kStages* kTileBytes<kHeadDim> + static_cast<int>(sizeof(WarpResult<kHeadDim>));

struct Piece {
  Keys keys = {0, 0};  ///< none: there is no piece
  Item item = {};
  int slot = 0;

  __device__ bool exists() const { return keys.begin < keys.end; }
};

/// Walks the pieces of a part. All threads of a block walk alike.
class PieceWalk {
 public:
  __device__ PieceWalk(const DecodePlan& plan, int part) : plan_(plan), part_(part), index_(plan.first_item(part)) {}

  __device__ Piece next() {
    while (index_ < plan_.items && plan_.start[index_] < (part_ + 1) * plan_.part_units) {
      const int index = index_++;
      const Piece piece{plan_.piece(index, part_), plan_.item[index], plan_.slot(index, part_)};
      if (piece.exists()) return piece;
    }
    return {};
  }

 private:
  const DecodePlan& plan_;
  int part_;
  int index_;  ///< of the next item
};

/// The copies of one stream's tiles, in the order of its pieces.
template <int kHeadDim>
struct TilePipeline {
  StreamPlace place;
  char* tiles;      ///< the stream's: `[kStages][warps]`
  int started = 0;  ///< tiles whose copies were started
  int used = 0;     ///< tiles that were multiplied

  __device__ TilePipeline(const DecodeParams& params, char* shared)
      : place(params), tiles(shared + place.stream * place.warps * kStages * kTileBytes<kHeadDim>) {}

  __device__ int tile_keys() const { return kTileKeys * place.warps; }
  /// First key of the stream's i-th tile of a piece.
  __device__ int first_key(const Keys& keys, int i) const {
    return keys.begin + (place.stream + i * place.streams) * tile_keys();
  }
  /// The part of a tile that warp `member` copied; tiles count from the beginning.
  __device__ char* tile(int index, int member) const {
    return tiles + (index % kStages * place.warps + member) * kTileBytes<kHeadDim>;
  }
  /// This warp's part of the tile that is neither in use nor being filled, between two pieces.
  __device__ char* free_tile() const { return tile(used + kAhead, place.member); }

  /// Waits for the oldest tile that was not yet multiplied.
  __device__ void wait() const {
    wait_for_copies(started - used - 1);
    place.sync();
  }

  /// Starts the copy of the stream's i-th tile of a piece, if there is one.
  template <class Tile>
  __device__ void start(const KvRows& rows, const Keys& keys, int i) {
    if (first_key(keys, i) >= keys.end) return;
    const int first = first_key(keys, i) + kTileKeys * place.member;
    const int64_t offset = static_cast<int64_t>(first) * Tile::kRowBytes;
    char* to = tile(started++, place.member);
    Tile::copy(to, static_cast<const char*>(rows.k) + offset, keys.end - first, place.lane);
    Tile::copy(to + Tile::kBytes, static_cast<const char*>(rows.v) + offset, keys.end - first, place.lane);
    commit_copies();
  }

  /// The same for a piece of any type.
  __device__ void start(const DecodeParams& params, const Piece& piece, int i) {
    if (!piece.exists()) return;
    const KvRows& rows = rows_of(params, piece.item);
    switch (params.segments[piece.item.segment].dtype) {
      case DType::q8_0:
        return start<QuantTile<8, kHeadDim>>(rows, piece.keys, i);
      case DType::q4_0:
        return start<QuantTile<4, kHeadDim>>(rows, piece.keys, i);
      default:  // f16 and bf16 are copied alike
        return start<HalfTile<__half, kHeadDim>>(rows, piece.keys, i);
    }
  }
};

/// Merges what the block's streams found about some rows, one WarpResult per warp, into a slot: of each warp's 16 rows
/// those from `first` on.
template <int kHeadDim>
__device__ void merge_streams(const DecodeParams& params, const StreamPlace& place, const WarpResult<kHeadDim>* results,
                              int first, int slot_row, int rows) {
  constexpr int kRows = WarpResult<kHeadDim>::kRows;
  for (int i = threadIdx.x; i < place.warps * kRows * (kHeadDim / 4); i += blockDim.x) {
    const int member = i / (kHeadDim / 4) / kRows;
    const int in_result = i / (kHeadDim / 4) % kRows;
    const int row = member * kTileKeys + first + in_result;
    if (row >= rows) break;
    const int dim = i % (kHeadDim / 4) * 4;
    const WarpResult<kHeadDim>* of_row = results + member;
    float maximum = kNoMaximum;
    for (int s = 0; s < place.streams; ++s) maximum = fmaxf(maximum, of_row[s * place.warps].maximum[in_result]);
    float sum = 0;
    float4 out = {0, 0, 0, 0};
    for (int s = 0; s < place.streams; ++s) {
      const WarpResult<kHeadDim>& result = of_row[s * place.warps];
      const float weight = exp2_fast(result.maximum[in_result] - maximum);
      const auto& part = *reinterpret_cast<const float4*>(&result.out[in_result][dim]);
      sum += weight * result.sum[in_result];
      out.x += weight * part.x;
      out.y += weight * part.y;
      out.z += weight * part.z;
      out.w += weight * part.w;
    }
    const int64_t at = static_cast<int64_t>(slot_row) + row;
    *reinterpret_cast<float4*>(params.partial_out + at * kHeadDim + dim) = out;
    if (dim == 0) params.partial_sums[at] = {maximum, sum};
  }
}

/// Attends to a piece whose first kAhead tiles per stream are under way, starts `following`'s, and leaves the result in
/// the piece's slot. All threads of the block; `results` is free before and after.
template <class Tile, int kHeadDim>
__device__ void attend_piece(const DecodeParams& params, const Piece& piece, const Piece& following,
                             TilePipeline<kHeadDim>& pipeline, WarpResult<kHeadDim>* results) {
  const Item& item = piece.item;
  const StreamPlace& place = pipeline.place;
  const KvRows& rows = rows_of(params, item);
  const int block_row = item.row_block * pipeline.tile_keys();
  const int first_row = block_row + kTileKeys * place.member;
  const int set_rows = rows_in_set(params, item);
  RunningSoftmax<Tile, kHeadDim> softmax;
  softmax.start(params, item, piece.keys, first_row, place.lane, pipeline.free_tile());
  int of_following = 0;  // tiles that were started, or don't exist
  for (int i = 0; pipeline.first_key(piece.keys, i) < piece.keys.end; ++i) {
    pipeline.wait();
    if (pipeline.first_key(piece.keys, i + kAhead) < piece.keys.end) {
      pipeline.template start<Tile>(rows, piece.keys, i + kAhead);
    } else if (of_following < kAhead) {
      pipeline.start(params, following, of_following++);
    }
    const int index = pipeline.used++;
    if (first_row >= set_rows) continue;
    for (int member = 0; member < place.warps; ++member) {
      const int first = pipeline.first_key(piece.keys, i) + kTileKeys * member;
      if (first >= piece.keys.end) break;
      const char* tile = pipeline.tile(index, member);
      softmax.add(tile, tile + Tile::kBytes, first, place.lane);
    }
  }
  softmax.finish();
  __syncthreads();
  while (of_following < kAhead) pipeline.start(params, following, of_following++);
  const int rows_here = min(set_rows - block_row, pipeline.tile_keys());
  constexpr int kRows = WarpResult<kHeadDim>::kRows;
  for (int first = 0; first < min(rows_here, kTileKeys); first += kRows) {
    results[threadIdx.x / 32].store(softmax, first, place.lane);
    __syncthreads();
    merge_streams<kHeadDim>(params, place, results, first, piece.slot * params.slot_rows, rows_here);
    __syncthreads();
  }
}

}  // namespace kvzip::cuda
