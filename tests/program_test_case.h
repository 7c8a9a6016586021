// What tests of the program share: running it, with files and a store of the test's own, and how it must refuse.
#pragma once

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tests/cli_process.h"
#include "tests/test_paths.h"

namespace kvzip {

inline const std::string kProgram = std::string(KVZIP_BINARY_DIR) + "/bin/kvzip";

/// Expects one line on stderr that begins with the program's name and holds `part`, and nothing on stdout.
inline void expect_refused(const std::vector<std::string>& words, const ProcessResult& result, int exit_code,
                           std::string_view part) {
  const std::string what = testing::PrintToString(words) + " said: " + result.err;
  EXPECT_EQ(result.exit_code, exit_code) << what;
  EXPECT_EQ(result.err.find("kvzip: "), 0U) << what;
  EXPECT_EQ(result.err.find('\n'), result.err.size() - 1) << what;
  EXPECT_NE(result.err.find(part), std::string::npos) << what;
  EXPECT_EQ(result.out, "") << what;
}

class ProgramTestCase : public ::testing::Test {
 protected:
  using Json = nlohmann::json;
  using Words = std::vector<std::string>;

  std::string write(const std::string& name, std::string_view text) const {
    std::ofstream(folder_.file(name), std::ios::binary) << text;
    return folder_.file(name);
  }
  ProcessResult run(Words words, std::string_view standard_input = "") const {
    words.insert(words.begin(), kProgram);
    return run_process({words, std::string(standard_input), {{"KVZIP_STORE", folder_.file("store")}}});
  }
  /// Expects success, and one JSON value on stdout.
  Json run_json(Words words) const {
    words.insert(words.end(), {"--json", "--quiet"});
    const ProcessResult result = run(words);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    EXPECT_EQ(result.err, "");
    return Json::parse(result.out, nullptr, false);
  }
  void expect_error(const Words& words, int exit_code, std::string_view part) const {
    expect_refused(words, run(words), exit_code, part);
  }

  TempFolder folder_;
};

}  // namespace kvzip
