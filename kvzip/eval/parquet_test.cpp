#include "kvzip/eval/parquet.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "kvzip/eval/task.h"
#include "tests/cli_process.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

/// Rows of all kinds that the data sets have, written by the Python package: a list and a struct of lists, two row
/// groups.
constexpr const char* kWrite = R"(
import sys, pyarrow as pa, pyarrow.parquet as pq
rows = [{"prompts": ["context one", "q1", "q2"], "ground_truth": [["a", "b"], ["c"]], "id": 7, "x": 0.5, "ok": True},
        {"prompts": ["context two \u00e9", "q3"], "ground_truth": [["d"]], "id": None, "x": -1.0, "ok": False}]
pq.write_table(pa.Table.from_pylist(rows), sys.argv[1] + "/vt.parquet", row_group_size=1)
pq.write_table(pa.Table.from_pylist([{"context": "C.", "question": "Q?", "answers": {"text": ["a"], "answer_start": [0]}}]),
               sys.argv[1] + "/squad.parquet")
pq.write_table(pa.Table.from_pylist([{"question": "Q", "when": __import__("datetime").date(2020, 1, 1)}]), sys.argv[1] + "/date.parquet")
)";

class Parquet : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(has_parquet()) << "the set-up of the tests installs pyarrow";
    const ProcessResult written = run_process({{python_path(), "-c", kWrite, folder_.path()}, "", {}});
    ASSERT_EQ(written.exit_code, 0) << written.err;
  }

  std::string error_of(const std::string& file) const {
    try {
      parquet_rows(folder_.file(file))([](const JsonFields& /*row*/) {});
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  }

  static size_t count(std::string_view text) { return text.size(); }

  TempFolder folder_;
};

TEST_F(Parquet, RowsHaveEveryKindOfField) {
  std::vector<std::string> places;
  parquet_rows(folder_.file("vt.parquet"))([&](const JsonFields& row) {
    places.push_back(row.file());
    EXPECT_EQ(row.find_strings("prompts")->size(), places.size() == 1 ? 3U : 2U);
    EXPECT_EQ(row.find_uint("id").value_or(0), places.size() == 1 ? 7U : 0U);
    EXPECT_EQ(row.find_number("x"), places.size() == 1 ? 0.5 : -1.0);
    EXPECT_EQ(row.find_bool("ok"), places.size() == 1);
  });
  ASSERT_EQ(places.size(), 2U);
  EXPECT_TRUE(places[1].ends_with("vt.parquet: row 2"));
}

TEST_F(Parquet, PublishedTablesBecomeDocuments) {
  const auto chains = open_task(find_task("scbench_vt"), {.files = folder_.file("vt.parquet"), .count = count});
  ASSERT_EQ(chains->size(), 2U);
  EXPECT_EQ(chains->document(0).questions.at(0).answer, "a, b");
  EXPECT_EQ(chains->document(1).context, "context two \u00e9");
  const auto squad = open_task(find_task("squad"), {.files = folder_.file("squad.parquet"), .count = count});
  EXPECT_EQ(squad->document(0).questions.at(0).answer, "a");
}

TEST_F(Parquet, WrongFilesAreSaidByName) {
  EXPECT_NE(error_of("none.parquet").find("none.parquet"), std::string::npos);
  std::ofstream(folder_.file("text.parquet")) << "this is no Parquet file at all";
  EXPECT_NE(error_of("text.parquet").find("text.parquet: expected a Parquet file"), std::string::npos);
  EXPECT_NE(error_of("date.parquet").find("found date32"), std::string::npos) << error_of("date.parquet");
  std::ifstream file(folder_.file("vt.parquet"), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(file), {}};
  for (size_t cut = 1; cut < whole.size(); cut += 97) {
    std::ofstream(folder_.file("cut.parquet"), std::ios::binary) << whole.substr(0, cut);
    EXPECT_NE(error_of("cut.parquet").find("cut.parquet: "), std::string::npos) << cut;
  }
}

}  // namespace
}  // namespace kvzip
