#include "kvzip/model/hf_tokenizer.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"

namespace kvzip {

std::unique_ptr<Tokenizer> load_hf_tokenizer(const std::string& /*folder*/) { return nullptr; }

void throw_no_tokenizer(const std::string& path) {
  throw Error(ErrorCode::input, fmt::format("{}: tokenizer: expected tokenizer.json or tokenizer.model, found neither; "
                                            "without one the model only takes token ids",
                                            path));
}

}  // namespace kvzip
