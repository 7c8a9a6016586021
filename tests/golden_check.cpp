// golden_check MODEL DIR [--weights f32] [--kv-type q8_0] [--device cuda] [--context FILE]: compares the engine with a
// folder of golden data. golden_check --tokenizer MODEL CASES.json: compares a tokenizer with recorded ids and texts.
// Prints every figure with its bound; exits 1 where one is missed, 2 for unusable arguments.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "kvzip/backend/backend.h"
#include "kvzip/base/error.h"
#include "kvzip/model/find_model.h"
#include "tests/golden_compare.h"

namespace {

namespace fs = std::filesystem;
using namespace kvzip;
using kvzip::Error;

std::string read_text(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(ErrorCode::input, path.string() + ": can't be read");
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The golden's document: beside the folder, in ../contexts, or where the caller says.
std::string find_document(const golden::Golden& golden, const fs::path& folder, const std::string& given) {
  if (!given.empty()) return read_text(given);
  if (golden.context_file.empty()) return {};
  for (const fs::path& place : {folder / golden.context_file, folder / ".." / golden.context_file,
                                folder / "../contexts" / golden.context_file}) {
    if (fs::exists(place)) return read_text(place);
  }
  throw Error(ErrorCode::input,
              fmt::format("{}: document {} not found; name it with --context", folder.string(), golden.context_file));
}

DType kv_type_of(const std::string& name, bool exact) {
  for (const DType type : {DType::f32, DType::f16, DType::bf16, DType::q8_0, DType::q4_0}) {
    if (dtype_name(type) == name) return type;
  }
  return exact ? DType::f32 : DType::f16;
}

int print(const std::vector<golden::Figure>& figures) {
  bool passed = true;
  for (const golden::Figure& figure : figures) {
    const std::string bound = figure.judged ? fmt::format("{} {:g}", figure.at_least ? ">=" : "<=", figure.bound)
                                            : std::string("(not judged)");
    fmt::print("{:4} {:<64} {:>12.6g}  {}\n", figure.passes() ? "ok" : "MISS", figure.what, figure.value, bound);
    passed = passed && figure.passes();
  }
  fmt::print("{} figures, {}\n", figures.size(), passed ? "all within their bounds" : "some MISSED");
  return passed ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Compares the engine with golden data");
  std::string model_name, data, weights = "stored", kv_type, device = "cpu", context;
  bool tokenizer = false;
  app.add_flag("--tokenizer", tokenizer, "DATA is a file of tokenizer cases");
  app.add_option("model", model_name, "GGUF file or abbreviated name")->required();
  app.add_option("data", data, "golden folder, or file of cases")->required();
  app.add_option("--weights", weights, "f32: everything dequantised and computed in f32")
      ->check(CLI::IsMember({"stored", "f32"}));
  app.add_option("--kv-type", kv_type, "how the context is held (default: f32 with --weights f32, else f16)")
      ->check(CLI::IsMember({"f32", "f16", "bf16", "q8_0", "q4_0"}));
  app.add_option("--device", device, "cpu, cuda or cuda:N");
  app.add_option("--context", context, "the golden's document, where it isn't beside DATA");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  try {
    const bool exact = weights == "f32";
    const auto backend = make_backend(device);
    backend->set_precision(exact ? Precision::exact : Precision::fast);
    const Model model = Model::load(find_model(model_name), *backend,
                                    {.weights = exact ? WeightMode::f32 : WeightMode::stored, .chat_template = {}});
    if (tokenizer) return print(golden::compare_tokenizer(model.tokenizer(), data));
    const golden::Golden golden = golden::read_golden(data);
    return print(
        golden::compare(model, golden, find_document(golden, data, context), {exact, kv_type_of(kv_type, exact)}));
  } catch (const std::exception& error) {
    fmt::print(stderr, "golden_check: {}\n", error.what());
    return 1;
  }
}
