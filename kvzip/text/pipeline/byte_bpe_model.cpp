// Byte-level BPE on bytes as they are.
#include "kvzip/text/byte_alphabet.h"
#include "kvzip/text/byte_merges.h"
#include "kvzip/text/pipeline/bpe_merges.h"
#include "kvzip/text/pipeline/bpe_options.h"
#include "kvzip/text/pipeline/models.h"

namespace kvzip {

namespace {

ByteMerges::ByteTokens byte_tokens(const PipelineModel& model) {
  ByteMerges::ByteTokens tokens{};
  for (size_t byte = 0; byte < tokens.size(); ++byte) {
    tokens[byte] = model.find(byte_spelling(static_cast<uint8_t>(byte))).value_or(-1);
  }
  return tokens;
}

MergeIndex merge_index(const Component& component, const PipelineModel& model) {
  const std::vector<BpeMerge> merges = read_merges(component, model, "");
  MergeIndex index(merges.size());
  for (const BpeMerge& merge : merges) index.add(merge.left, merge.right, merge.merge);
  return index;
}

class ByteBpeModel final : public PipelineModel {
 public:
  ByteBpeModel(const Component& component, std::vector<std::string> tokens, bool whole_words)
      : PipelineModel(component, std::move(tokens)),
        whole_words_(whole_words),
        merges_(byte_tokens(*this), -1, merge_index(component, *this)) {}

  std::string_view name() const override { return "byte-level bpe"; }

  void encode(std::string_view word, EncodeWork& work) const override {
    work.cache.append(word, work.ids, [&] {
      if (whole_words_) {
        if (const auto whole = find(spell_bytes(word))) return work.ids.push_back(*whole);
      }
      merges_.encode(word, work.symbols, work.ids);
    });
  }

  void append_byte(char byte, EncodeWork& work) const override { merges_.append_byte(byte, work.ids); }

 private:
  bool whole_words_;
  ByteMerges merges_;
};

}  // namespace

std::unique_ptr<PipelineModel> make_byte_bpe_model(const Component& component) {
  const BpeModelOptions options(component);
  if (!options.prefix.empty() || !options.suffix.empty()) return nullptr;
  std::vector<std::string> tokens = read_vocabulary(component);
  const TokenIndex index(tokens);
  for (size_t byte = 0; byte < 256; ++byte) {
    if (!index.find(byte_spelling(static_cast<uint8_t>(byte)))) return nullptr;
  }
  return std::make_unique<ByteBpeModel>(component, std::move(tokens), options.whole_words);
}

}  // namespace kvzip
