// A recording as a CUDA graph. The first time its kernels are captured from the stream; later they are compared one by
// one with those that the graph has, and only what differs is written into it. A change counts from the next replay on,
// so a graph may still run while it is made ready for the next token.
#pragma once

#include <vector>

#include "kvzip/backend/cuda/kernel_launch.h"
#include "kvzip/backend/recording.h"

namespace kvzip::cuda {

class KernelRecording final : public Recording, private LaunchRecorder {
 public:
  /// `stream` must outlive it.
  explicit KernelRecording(cudaStream_t stream) : stream_(stream) {}
  ~KernelRecording() override { drop_graph(); }

  bool record(const std::function<void()>& operations) override;
  void replay() override;

 private:
  /// A kernel as the graph has it.
  struct Node {
    cudaGraphNode_t node = nullptr;
    const void* kernel = nullptr;
    dim3 grid;
    dim3 block;
    size_t shared_bytes = 0;
    std::vector<std::byte> parameters;  ///< one behind the other

    bool is(const KernelLaunch& launch) const;
    void take(const KernelLaunch& launch);
  };

  void launch(const KernelLaunch& launch) override;
  void other_work() override;

  bool capture(const std::function<void()>& operations);
  bool update(const std::function<void()>& operations);
  void note_captured(const KernelLaunch& launch);
  void bring_up_to_date(const KernelLaunch& launch);
  void drop_graph();

  cudaStream_t stream_;
  cudaGraph_t graph_ = nullptr;
  cudaGraphExec_t replayed_ = nullptr;  // null until something was captured
  std::vector<Node> nodes_;
  bool capturing_ = false;
  bool fits_ = true;        // of an update: so far the kernels are those of the graph
  size_t updated_ = 0;      // nodes seen by it
  bool recordable_ = true;  // false for good once a capture held anything but kernels
};

}  // namespace kvzip::cuda
