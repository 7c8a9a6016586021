#include "kvzip/backend/cuda/kernel_recording.h"

#include <cstring>

#include "kvzip/backend/cuda/cuda_check.h"
#include "kvzip/base/check.h"

namespace kvzip::cuda {
namespace {

/// Sets the thread's recorder for a while.
class Recorded {
 public:
  explicit Recorded(LaunchRecorder& recorder) {
    check(launch_recorder() == nullptr, "one recording at a time");
    launch_recorder() = &recorder;
  }
  Recorded(const Recorded&) = delete;
  Recorded& operator=(const Recorded&) = delete;
  ~Recorded() { launch_recorder() = nullptr; }
};

bool equal(const dim3& a, const dim3& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

}  // namespace

bool KernelRecording::Node::is(const KernelLaunch& launch) const {
  if (kernel != launch.kernel || !equal(grid, launch.config.gridDim) || !equal(block, launch.config.blockDim) ||
      shared_bytes != launch.config.dynamicSmemBytes) {
    return false;
  }
  size_t at = 0;  // of one kernel, parameters have the same sizes always
  for (const KernelParameter& parameter : launch.parameters) {
    if (std::memcmp(&parameters[at], parameter.data, parameter.bytes) != 0) return false;
    at += parameter.bytes;
  }
  return true;
}

void KernelRecording::Node::take(const KernelLaunch& launch) {
  kernel = launch.kernel;
  grid = launch.config.gridDim;
  block = launch.config.blockDim;
  shared_bytes = launch.config.dynamicSmemBytes;
  parameters.clear();
  for (const KernelParameter& parameter : launch.parameters) {
    const auto* const bytes = static_cast<const std::byte*>(parameter.data);
    parameters.insert(parameters.end(), bytes, bytes + parameter.bytes);
  }
}

bool KernelRecording::record(const std::function<void()>& operations) {
  if (!recordable_) return false;
  return (replayed_ != nullptr && update(operations)) || capture(operations);
}

void KernelRecording::replay() {
  check(replayed_ != nullptr, "something was recorded");
  cuda_check(cudaGraphLaunch(replayed_, stream_), "launching a CUDA graph");
}

void KernelRecording::launch(const KernelLaunch& launch) {
  if (capturing_) {
    launch_on_stream(launch);
    note_captured(launch);
  } else if (fits_) {
    bring_up_to_date(launch);
  }
}

void KernelRecording::other_work() {
  if (capturing_) throw NotRecordable();  // an update's copies and allocations go to the stream, as always
}

bool KernelRecording::capture(const std::function<void()>& operations) {
  drop_graph();
  cuda_check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "recording kernels");
  capturing_ = true;
  const auto end = [this] {
    capturing_ = false;
    return cudaStreamEndCapture(stream_, &graph_);
  };
  try {
    const Recorded recorded(*this);
    operations();
  } catch (const NotRecordable&) {
    recordable_ = false;
  } catch (...) {
    end();
    drop_graph();
    throw;
  }
  const cudaError_t ended = end();
  size_t count = 0;
  if (ended == cudaSuccess) cuda_check(cudaGraphGetNodes(graph_, nullptr, &count), "asking for a graph's size");
  recordable_ = recordable_ && ended == cudaSuccess && count == nodes_.size();
  if (recordable_) {
    cuda_check(cudaGraphInstantiate(&replayed_, graph_, 0), "making a CUDA graph");
  } else {
    cudaGetLastError();  // of a capture that was given up
    drop_graph();
  }
  return recordable_;
}

bool KernelRecording::update(const std::function<void()>& operations) {
  fits_ = true;
  updated_ = 0;
  const Recorded recorded(*this);
  operations();
  return fits_ && updated_ == nodes_.size();
}

// A kernel that was just captured is what the next one would wait for.
void KernelRecording::note_captured(const KernelLaunch& launch) {
  cudaStreamCaptureStatus status{};
  const cudaGraphNode_t* last = nullptr;
  size_t count = 0;
  cuda_check(cudaStreamGetCaptureInfo(stream_, &status, nullptr, nullptr, &last, nullptr, &count),
             "recording a kernel");
  check(status == cudaStreamCaptureStatusActive && count == 1, "kernels of a stream follow each other");
  Node& node = nodes_.emplace_back();
  node.node = *last;
  node.take(launch);
}

void KernelRecording::bring_up_to_date(const KernelLaunch& launch) {
  fits_ = updated_ < nodes_.size();
  if (!fits_) return;
  Node& node = nodes_[updated_++];
  if (node.is(launch)) return;
  auto pointers = parameter_pointers(launch);
  cudaKernelNodeParams changed{};
  changed.func = const_cast<void*>(launch.kernel);
  changed.gridDim = launch.config.gridDim;
  changed.blockDim = launch.config.blockDim;
  changed.sharedMemBytes = static_cast<unsigned>(launch.config.dynamicSmemBytes);
  changed.kernelParams = pointers.data();
  fits_ = cudaGraphExecKernelNodeSetParams(replayed_, node.node, &changed) == cudaSuccess;
  if (fits_) {
    node.take(launch);
  } else {
    cudaGetLastError();  // it is captured anew
  }
}

void KernelRecording::drop_graph() {
  if (replayed_ != nullptr) {
    cudaStreamSynchronize(stream_);  // it may run
    cudaGraphExecDestroy(replayed_);
  }
  if (graph_ != nullptr) cudaGraphDestroy(graph_);
  replayed_ = nullptr;
  graph_ = nullptr;
  nodes_.clear();
}

}  // namespace kvzip::cuda
