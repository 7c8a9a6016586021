#include "kvzip/base/check.h"

#include <gtest/gtest.h>

#include "kvzip/base/progress.h"

namespace kvzip {
namespace {

TEST(Check, PassesWhatHolds) { EXPECT_NO_THROW(check(true, "fine")); }

TEST(Check, NamesWhatDoesNotHoldAndWhere) {
  try {
    check(false, "rows match");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::internal);
    const std::string message = error.what();
    EXPECT_EQ(message.find("internal error: rows match ("), 0U) << message;
    EXPECT_NE(message.find("check_test.cpp:"), std::string::npos) << message;
  }
}

TEST(Progress, ReportsAndCancels) {
  size_t seen = 0;
  const ProgressFn until_seven = [&](const Progress& state) {
    EXPECT_EQ(state.stage, "prefill");
    EXPECT_EQ(state.total, 10U);
    seen = state.done;
    return state.done < 7;
  };
  EXPECT_NO_THROW(report(until_seven, {"prefill", 3, 10}));
  EXPECT_EQ(seen, 3U);
  EXPECT_NO_THROW(report({}, {"prefill", 3, 10}));
  try {
    report(until_seven, {"prefill", 7, 10});
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_EQ(seen, 7U);
}

}  // namespace
}  // namespace kvzip
