// BPE over characters.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "kvzip/base/quote.h"
#include "kvzip/text/pipeline/bpe_merges.h"
#include "kvzip/text/pipeline/bpe_options.h"
#include "kvzip/text/pipeline/models.h"
#include "kvzip/text/pipeline/word_cuts.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

constexpr size_t kLongestAffix = 256;

std::string affix(const Component& component, std::string_view key) {
  std::string text = component.find_text(key).value_or("");
  if (text.size() > kLongestAffix) component.fail(key, fmt::format("at most {} bytes", kLongestAffix));
  return text;
}

}  // namespace

BpeModelOptions::BpeModelOptions(const Component& component)
    : unknown(component.find_text("unk_token")),
      prefix(affix(component, "continuing_subword_prefix")),
      suffix(affix(component, "end_of_word_suffix")),
      fuse_unknown(component.flag("fuse_unk", false)),
      byte_fallback(component.flag("byte_fallback", false)),
      whole_words(component.flag("ignore_merges", false)) {
  const nlohmann::json* const dropout = component.find("dropout");
  if (dropout != nullptr && (!dropout->is_number() || dropout->get<double>() != 0)) {
    component.fail("dropout", "null", ErrorCode::unsupported);
  }
}

namespace {

class BpeModel final : public PipelineModel {
 public:
  explicit BpeModel(const Component& component)
      : PipelineModel(component, read_vocabulary(component)), options_(component), merges_(0) {
    if (options_.unknown) unknown_ = find(*options_.unknown).value_or(-1);
    for (size_t byte = 0; byte < byte_tokens_.size(); ++byte) {
      byte_tokens_[byte] = find(fmt::format("<0x{:02X}>", byte)).value_or(-1);
    }
    const std::vector<BpeMerge> merges = read_merges(component, *this, options_.prefix);
    merges_ = MergeIndex(merges.size());
    for (const BpeMerge& merge : merges) merges_.add(merge.left, merge.right, merge.merge);
    if (!options_.prefix.empty() || !options_.suffix.empty()) return;
    std::vector<TokenId> opaque(byte_tokens_.begin(), byte_tokens_.end());
    opaque.push_back(unknown_);
    cuts_ = WordCuts(*this, merges, opaque);
  }

  std::string_view name() const override { return "bpe"; }

  void encode(std::string_view word, EncodeWork& work) const override {
    if (options_.whole_words) {
      if (const auto whole = find(word)) return work.ids.push_back(*whole);
    }
    cuts_.split(word,
                [&](std::string_view part) { work.cache.append(part, work.ids, [&] { encode_part(part, work); }); });
  }

  // The last part might be a token as a whole.
  size_t find_cut(std::string_view word, size_t from) const override {
    return options_.whole_words ? word.size() : cuts_.find(word, from);
  }

 private:
  class Symbols;
  void encode_part(std::string_view word, EncodeWork& work) const;

  BpeModelOptions options_;
  TokenId unknown_ = -1;
  std::array<TokenId, 256> byte_tokens_{};  ///< of the spellings <0xHH>; -1: the vocabulary has none
  MergeIndex merges_;
  WordCuts cuts_;
};

/// The symbols before merging. Unknown characters wait until a known one follows or the word ends, as in the package,
/// where byte tokens overtake them.
class BpeModel::Symbols {
 public:
  Symbols(const BpeModel& model, SymbolList& list, size_t most) : model_(model), list_(list) { list_.start(most); }

  void known(TokenId id) {
    flush();
    list_.append(count_++, id);
  }
  bool bytes(std::string_view spelling) {
    const auto token_of = [&](char byte) { return model_.byte_tokens_[static_cast<uint8_t>(byte)]; };
    if (!std::ranges::all_of(spelling, [&](char byte) { return token_of(byte) >= 0; })) return false;
    for (const char byte : spelling) list_.append(count_++, token_of(byte));
    return true;
  }
  void unknown(std::string_view spelling) {
    if (!model_.options_.unknown) return;
    if (model_.unknown_ < 0) {
      throw Error(ErrorCode::input,
                  fmt::format("text: expected characters that the vocabulary has, as it lacks {}, found {}",
                              quote(*model_.options_.unknown), quote(spelling)));
    }
    if (!model_.options_.fuse_unknown) flush();
    waiting_ = true;
  }
  void flush() {
    if (waiting_) list_.append(count_++, model_.unknown_);
    waiting_ = false;
  }

 private:
  const BpeModel& model_;
  SymbolList& list_;
  size_t count_ = 0;
  bool waiting_ = false;
};

void BpeModel::encode_part(std::string_view word, EncodeWork& work) const {
  const bool spelled = options_.byte_fallback && !(options_.prefix.empty() && options_.suffix.empty());
  const size_t most = spelled ? word.size() * (1 + options_.prefix.size()) + options_.suffix.size() : word.size();
  Symbols symbols(*this, work.symbols, most);
  for (size_t at = 0; at < word.size();) {
    const size_t length = utf8_step(word.substr(at)).length;
    std::string_view spelling = word.substr(at, length);
    const bool inside = at > 0 && !options_.prefix.empty();
    const bool last = at + length == word.size() && !options_.suffix.empty();
    if (inside || last) {
      work.scratch.assign(inside ? options_.prefix : "").append(spelling).append(last ? options_.suffix : "");
      spelling = work.scratch;
    }
    if (const auto id = find(spelling)) {
      symbols.known(*id);
    } else if (!options_.byte_fallback || !symbols.bytes(spelling)) {
      symbols.unknown(spelling);
    }
    at += length;
  }
  symbols.flush();
  SymbolList& list = work.symbols;
  list.merge_all([&](size_t left, size_t right) { return merges_.find(list[left].id, list[right].id); });
  list.for_each([&](const Symbol& symbol, size_t) { work.ids.push_back(symbol.id); });
}

}  // namespace

std::unique_ptr<PipelineModel> make_bpe_model(const Component& component) {
  return std::make_unique<BpeModel>(component);
}

}  // namespace kvzip
