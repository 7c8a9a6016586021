#include "kvzip/model/share.h"

#include <fmt/format.h>

#include "kvzip/base/error.h"

namespace kvzip {

ModelConfig share_of(ModelConfig whole, const Share& share, const std::string& path) {
  const auto divide = [&](size_t& value, const char* what) {
    if (value % share.of != 0) {
      throw Error(ErrorCode::unsupported,
                  fmt::format("{}: its {} {} can't be divided evenly among {} devices", path, value, what, share.of));
    }
    value /= share.of;
  };
  divide(whole.kv_heads, whole.kv_heads == 1 ? "KV head" : "KV heads");
  divide(whole.heads, "heads");
  divide(whole.feed_forward, "values of feed-forward width");
  return whole;
}

}  // namespace kvzip
