// Choosing a GPU and saying what it is. Stateless.
#pragma once

#include <cstddef>
#include <string>

namespace kvzip {

/// Makes GPU number `index` the calling thread's. Throws Error{unsupported} where there is no driver, no such GPU, too
/// old a driver or too old a GPU, and Error{memory} where the GPU has no memory left to start with.
void select_gpu(size_t index);

/// "NVIDIA H100 80GB HBM3, 79.2 GiB, compute capability 9.0".
std::string describe_gpu(size_t index);

}  // namespace kvzip
