// Copies from global to shared memory that run beside the arithmetic (cp.async, sm_80 and up). A thread's copies belong
// to groups in the order in which it commits them.
#pragma once

#include <cstdint>

namespace kvzip::cuda {

__device__ inline uint32_t shared_address(const void* pointer) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(pointer));
}

/// Copies `bytes` (at most 16) and fills the rest of 16 bytes with zeros. Both addresses are 16-byte aligned; where
/// `bytes` is 0, `from` is not read.
__device__ inline void copy_16_async(void* to, const void* from, int bytes) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;\n" ::"r"(shared_address(to)), "l"(from), "r"(bytes)
               : "memory");
}

__device__ inline void commit_copies() { asm volatile("cp.async.commit_group;\n" ::: "memory"); }

/// Waits until at most the `kPending` groups committed last are under way.
template <int kPending>
__device__ void wait_for_copies() {
  asm volatile("cp.async.wait_group %0;\n" ::"n"(kPending) : "memory");
}

/// The same for a number that all threads of a warp agree on; more than 6 counts as 6.
__device__ inline void wait_for_copies(int pending) {
  switch (pending) {
    case 0:
      return wait_for_copies<0>();
    case 1:
      return wait_for_copies<1>();
    case 2:
      return wait_for_copies<2>();
    case 3:
      return wait_for_copies<3>();
    case 4:
      return wait_for_copies<4>();
    case 5:
      return wait_for_copies<5>();
    default:
      return wait_for_copies<6>();
  }
}

/// Waits for the `threads` threads (whole warps) that meet at barrier `id`; 0 is __syncthreads()'s.
__device__ inline void meet(int id, int threads) {
  asm volatile("bar.sync %0, %1;\n" ::"r"(id), "r"(threads) : "memory");
}

/// Waits for the memory of the kernel before this one in the stream, where this one was launched to overlap it.
__device__ inline void wait_for_previous_kernel() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\n" ::: "memory");
#endif
}

/// Lets the next kernel of the stream start its preparations, where it was launched to overlap this one.
__device__ inline void let_next_kernel_start() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;\n" ::: "memory");
#endif
}

}  // namespace kvzip::cuda
