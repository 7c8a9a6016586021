// The one exception type of the library, and the kinds of failure a caller can act on.
#pragma once

#include <stdexcept>
#include <string>

namespace kvzip {

/// Why an operation failed. The command line turns `usage` into exit code 2, `cancelled` into 130, all others into 1.
enum class ErrorCode {
  usage,        ///< a flag or argument that can't be used
  input,        ///< a file or text that is missing, corrupt or contradictory
  unsupported,  ///< well-formed input of a kind that this version can't handle
  memory,       ///< it would not fit
  device,       ///< a GPU that failed
  cancelled,    ///< the caller asked to stop
  internal,     ///< a bug of ours, found by check()
};

/// A failure, described in one line that names the file or field, what was expected and what was found.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

}  // namespace kvzip
