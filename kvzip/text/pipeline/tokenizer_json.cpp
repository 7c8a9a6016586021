#include "kvzip/text/pipeline/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "kvzip/base/json.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/text/pipeline/pipeline_tokenizer.h"

namespace kvzip {

namespace {

constexpr JsonLimits kLimits = {.bytes = size_t{256} << 20U, .depth = 64};

}  // namespace

std::unique_ptr<Tokenizer> parse_tokenizer_json(std::string_view name, std::string_view json) {
  const nlohmann::json document = parse_json(name, json, kLimits);
  return std::make_unique<PipelineTokenizer>(Component(name, "", document));
}

std::unique_ptr<Tokenizer> read_tokenizer_json(const std::string& path) {
  const MappedFile file(path);
  const auto bytes = file.bytes();
  return parse_tokenizer_json(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

}  // namespace kvzip
