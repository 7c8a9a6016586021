// What becomes of the delimiters between words. Stateless.
#pragma once

#include <string_view>

#include "kvzip/text/pipeline/component.h"

namespace kvzip {

enum class SplitBehavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

/// The field "behavior". Throws Error{unsupported} for other names.
SplitBehavior split_behavior(const Component& component);

/// Takes a text's parts in order, each with whether it is a delimiter, and calls visit(part) for what is left of them.
/// Neighbouring parts are joined in place, as they are of one text.
template <class Visit>
class DelimiterSplit {
 public:
  DelimiterSplit(SplitBehavior behavior, Visit visit) : behavior_(behavior), visit_(visit) {}

  void add(std::string_view part, bool is_delimiter) {
    switch (behavior_) {
      case SplitBehavior::removed:
        if (!is_delimiter) visit_(part);
        break;
      case SplitBehavior::isolated:
        visit_(part);
        break;
      case SplitBehavior::merged_with_previous:
        hold(part, is_delimiter && !was_delimiter_);
        break;
      case SplitBehavior::merged_with_next:
        hold(part, !is_delimiter && was_delimiter_);
        break;
      case SplitBehavior::contiguous:
        hold(part, is_delimiter == was_delimiter_);
        break;
    }
    was_delimiter_ = is_delimiter;
  }

  void finish() {
    if (held_.data() != nullptr) visit_(held_);
    held_ = {};
  }

 private:
  /// Keeps the part until it is clear that nothing joins it.
  void hold(std::string_view part, bool joins) {
    if (joins && held_.data() != nullptr) {
      held_ = std::string_view(held_.data(), held_.size() + part.size());
      return;
    }
    finish();
    held_ = part;
  }

  SplitBehavior behavior_;
  Visit visit_;
  bool was_delimiter_ = false;
  std::string_view held_;  ///< null: nothing
};

}  // namespace kvzip
