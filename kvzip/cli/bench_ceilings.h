// What a device can do at best, measured: how fast it copies and how fast it multiplies. One thread.
#pragma once

#include "kvzip/model/model.h"

namespace kvzip::cli {

struct Ceilings {
  double copy_bytes_per_s = 0;    ///< of a large copy on the device, bytes read and written
  double product_flop_per_s = 0;  ///< of a product as layers have them, in the device's activation type
};
/// Takes a second or two, and memory for it that is given back. Throws Error{memory}.
Ceilings measure_ceilings(Backend& backend);

/// Floating-point operations of reading `tokens`, of one device: matrices, and attention over what each query sees.
double prefill_flop(const Model& model, size_t tokens);
/// Bytes that a token's pass reads at least: all matrices once, and `kv_bytes`.
double decode_bytes(const Model& model, size_t kv_bytes);

}  // namespace kvzip::cli
