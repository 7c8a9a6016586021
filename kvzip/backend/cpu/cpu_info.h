// What processor this is. Stateless; safe from any number of threads.
#pragma once

#include <string>

namespace kvzip {

/// Throws Error{unsupported} on a processor without AVX2, FMA and F16C (x86) or NEON (ARM).
void require_supported_cpu();

/// For example "AMD EPYC, 2 threads, AVX-512, bf16 products".
std::string describe_cpu();

/// True where products of bf16 matrices have instructions of their own (AVX-512 BF16, AMX); elsewhere f32 is faster.
bool cpu_has_bf16_products();

}  // namespace kvzip
