// Names of contexts in a store: a hash of all that decides which rows a context holds, but for how many. Pure
// functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "kvzip/policy/level.h"
#include "kvzip/store/context_description.h"
#include "kvzip/store/context_file.h"
#include "kvzip/tensor/dtype.h"
#include "kvzip/text/tokenizer.h"

namespace kvzip {

struct ContextSettings {
  DType kv_type = DType::f16;
  Level level = Level::pair;
  std::string scoring = "exact";
  bool exact_weights = false;  ///< computed in f32 throughout
};

/// 32 hexadecimal digits of BLAKE2b.
std::string context_address(const Fingerprint& fingerprint, std::span<const TokenId> system,
                            std::span<const TokenId> document, const ContextSettings& settings);

/// Throws Error{input} where what the file says of itself doesn't have that name: whoever may write to a store could
/// have put another document's context there.
void expect_named(const ContextFile& file, const std::string& name);

/// Whether `name` is of that form: nothing else becomes part of a path.
bool is_context_address(std::string_view name);

}  // namespace kvzip
