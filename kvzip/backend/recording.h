// Operations that are repeated with other rows each time, as those of decoded tokens are.
#pragma once

#include <functional>

namespace kvzip {

/// Of one Backend, which must outlive it; used by its thread.
class Recording {
 public:
  Recording() = default;
  Recording(const Recording&) = delete;
  Recording& operator=(const Recording&) = delete;
  virtual ~Recording() = default;

  /// Notes what `operations` would do in place of doing it; what memory they take or copy aside. Where they are those
  /// of the last time but for lengths and addresses, that is quick, and may happen while the device still replays.
  /// False where the device can't repeat them, nor anything else from then on: there is nothing to replay.
  virtual bool record(const std::function<void()>& operations) = 0;
  /// Does what was recorded last, in order with the backend's other operations.
  virtual void replay() = 0;
};

}  // namespace kvzip
