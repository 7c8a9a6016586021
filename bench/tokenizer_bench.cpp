// How fast a text file is encoded: one line of JSON with the bytes, tokens, seconds and memory.
// usage: tokenizer_bench TOKENIZER FILE [PIECE_BYTES] [THREADS] [IDS_FILE]
//   TOKENIZER    a .gguf, .json, .model or .tiktoken file (with :ENCODING behind it)
//   PIECE_BYTES  encode the text in pieces of about so many bytes that end with a line; 0 (default): all at once
//   THREADS      default 1
//   IDS_FILE     gets the ids, 32 bits each
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <string>
#include <vector>

#include "kvzip/base/error.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/base/parallel.h"
#include "kvzip/model/gguf_vocabulary.h"
#include "kvzip/text/formats/sentencepiece_model.h"
#include "kvzip/text/formats/tiktoken.h"
#include "kvzip/text/pipeline/tokenizer_json.h"

namespace kvzip {
namespace {

std::unique_ptr<Tokenizer> open_tokenizer(const std::string& path) {
  if (path.ends_with(".gguf")) return make_tokenizer(gguf_vocabulary(Gguf::open(path)));
  if (path.ends_with(".json")) return read_tokenizer_json(path);
  if (path.ends_with(".model")) return read_sentencepiece_model(path);
  const size_t colon = path.rfind(':');
  if (colon != std::string::npos) return read_tiktoken(path.substr(0, colon), tiktoken_options(path.substr(colon + 1)));
  throw Error(ErrorCode::usage, path + ": expected a .gguf, .json or .model file, or FILE.tiktoken:ENCODING");
}

std::vector<std::string_view> pieces_of(std::string_view text, size_t piece_bytes) {
  std::vector<std::string_view> pieces;
  while (!text.empty()) {
    const size_t line_end =
        piece_bytes == 0 ? std::string_view::npos : text.find('\n', std::min(piece_bytes, text.size()));
    pieces.push_back(text.substr(0, line_end == std::string_view::npos ? text.size() : line_end + 1));
    text.remove_prefix(pieces.back().size());
  }
  return pieces;
}

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

int run(const std::vector<std::string>& arguments) {
  const auto number = [&](size_t i, size_t otherwise) {
    return arguments.size() > i ? std::stoul(arguments[i]) : otherwise;
  };
  set_thread_count(number(3, 1));
  const auto tokenizer = open_tokenizer(arguments[0]);
  const MappedFile file(arguments[1]);
  const std::string text(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  std::ofstream ids_file;
  if (arguments.size() > 4) ids_file.open(arguments[4], std::ios::binary);
  size_t tokens = 0;
  double cpu = 0;
  std::chrono::duration<double> wall{};
  for (const std::string_view piece : pieces_of(text, number(2, 0))) {
    const double cpu_start = cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    const std::vector<TokenId> ids = tokenizer->encode(piece);
    wall += std::chrono::steady_clock::now() - start;
    cpu += cpu_seconds() - cpu_start;
    tokens += ids.size();
    ids_file.write(reinterpret_cast<const char*>(ids.data()),
                   static_cast<std::streamsize>(ids.size() * sizeof(TokenId)));
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print(
      "{{\"bytes\": {}, \"tokens\": {}, \"cpu_seconds\": {:.4f}, \"seconds\": {:.4f}, \"mb_per_cpu_second\": {:.1f}, "
      "\"mb_per_second\": {:.1f}, \"peak_mib\": {}}}\n",
      text.size(), tokens, cpu, wall.count(), static_cast<double>(text.size()) / 1e6 / cpu,
      static_cast<double>(text.size()) / 1e6 / wall.count(), usage.ru_maxrss / 1024);
  return 0;
}

}  // namespace
}  // namespace kvzip

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() < 2) {
    fmt::print(stderr, "usage: tokenizer_bench TOKENIZER FILE [PIECE_BYTES] [THREADS] [IDS_FILE]\n");
    return 2;
  }
  try {
    return kvzip::run(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "tokenizer_bench: {}\n", error.what());
    return 1;
  }
}
