#include "kvzip/text/pipeline/normalizer.h"

#include <array>

#include "kvzip/text/pipeline/component_table.h"
#include "kvzip/text/pipeline/normalizer_steps.h"

namespace kvzip {

namespace {

std::unique_ptr<Normalizer> make_normalizer_sequence(const Component& component);

constexpr auto kNormalizerKinds = std::to_array<ComponentKind<Normalizer>>({
    {"BertNormalizer", make_bert_normalizer},
    {"ByteLevel", make_byte_level_normalizer},
    {"Lowercase", make_lowercase},
    {"NFC", make_nfc},
    {"NFD", make_nfd},
    {"NFKC", make_nfkc},
    {"NFKD", make_nfkd},
    {"Nmt", make_nmt},
    {"Precompiled", make_precompiled},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Sequence", make_normalizer_sequence},
    {"Strip", make_strip},
    {"StripAccents", make_strip_accents},
});

class NormalizerSequence final : public Normalizer {
 public:
  explicit NormalizerSequence(const Component& component) {
    for (const Component& one : component.list("normalizers")) normalizers_.push_back(make_normalizer(one));
  }

  void apply(NormalizedText& text) const override {
    for (const auto& normalizer : normalizers_) normalizer->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> normalizers_;
};

std::unique_ptr<Normalizer> make_normalizer_sequence(const Component& component) {
  return std::make_unique<NormalizerSequence>(component);
}

}  // namespace

void expect_text_length(size_t bytes) {
  if (bytes <= kLongestText) return;
  throw Error(ErrorCode::input,
              fmt::format("text of {} bytes: at most {} can be encoded at once", bytes, kLongestText));
}

std::unique_ptr<Normalizer> make_normalizer(const Component& component) {
  return make_component<Normalizer>(kNormalizerKinds, component);
}

}  // namespace kvzip
