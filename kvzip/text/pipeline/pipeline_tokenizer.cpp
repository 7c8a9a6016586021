#include "kvzip/text/pipeline/pipeline_tokenizer.h"

#include <fmt/format.h>

#include <deque>
#include <unordered_set>

#include "kvzip/base/error.h"
#include "kvzip/text/lossy_utf8.h"
#include "kvzip/text/text_cuts.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

namespace {

std::unique_ptr<Normalizer> find_normalizer(const Component& file) {
  const auto component = file.find_object("normalizer");
  return component ? make_normalizer(*component) : nullptr;
}

PreTokenizerChain find_pre_tokenizer(const Component& file) {
  const auto component = file.find_object("pre_tokenizer");
  return PreTokenizerChain(component ? &*component : nullptr);
}

/// Words are given as bytes where both sides can do that, which spares spelling them.
std::unique_ptr<PipelineModel> find_model(const Component& file, PreTokenizerChain& pre_tokenizer, bool& bytes) {
  const Component component = file.object("model");
  auto model = pre_tokenizer.spells_bytes() ? make_byte_model(component) : nullptr;
  bytes = model != nullptr;
  if (!bytes) return make_pipeline_model(component);
  pre_tokenizer.take_bytes();
  return model;
}

std::unique_ptr<Decoder> find_decoder(const Component& file) {
  const auto component = file.find_object("decoder");
  return make_decoder(component ? &*component : nullptr);
}

}  // namespace

PipelineTokenizer::PipelineTokenizer(const Component& file)
    : normalizer_(find_normalizer(file)),
      pre_tokenizer_(find_pre_tokenizer(file)),
      model_(find_model(file, pre_tokenizer_, bytes_)),
      added_(read_added_tokens(file, *model_, normalizer_.get())),
      raw_finder_(added_, false),
      normalized_finder_(added_, true),
      decoder_(find_decoder(file)) {
  add_tokens();
  add_pieces();
  if (const auto component = file.find_object("post_processor")) {
    post_processor_ = PostProcessor(*component, tokens_.size());
  }
}

void PipelineTokenizer::add_tokens() {
  for (const std::string& token : model_->tokens()) tokens_.push_back({.content = token, .spelling = token});
  std::unordered_set<std::string_view> specials;
  for (const AddedToken& token : added_) {
    const auto id = static_cast<size_t>(token.id);
    if (id >= tokens_.size()) tokens_.resize(id + 1);
    tokens_[id] = {.content = token.content, .spelling = token.spelling};
    if (token.special) specials.insert(token.content);
  }
  for (Token& token : tokens_) token.special = specials.contains(token.spelling);
}

size_t PipelineTokenizer::checked(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= tokens_.size()) {
    throw Error(ErrorCode::input, fmt::format("token id {}: expected 0 to {}", id, tokens_.size() - 1));
  }
  return static_cast<size_t>(id);
}

std::optional<TokenId> PipelineTokenizer::find(std::string_view token) const {
  for (const AddedToken& added : added_) {
    if (added.content == token) return added.id;
  }
  return model_->find(token);
}

std::vector<TokenId> PipelineTokenizer::with_special_tokens(std::span<const TokenId> first,
                                                            std::optional<std::span<const TokenId>> second) const {
  return post_processor_.apply(first, second);
}

void PipelineTokenizer::encode_piece(const Piece& piece, TextStore& store, EncodeWork& work) const {
  const auto visit = [&](Piece word) { model_->encode(word.text, work); };
  pre_tokenizer_.split(piece, store, visit);
}

/// One call of encode().
class PipelineTokenizer::Encoding {
 public:
  Encoding(const PipelineTokenizer& tokenizer, size_t bytes) : tokenizer_(tokenizer), work_(bytes) {
    work_.ids.reserve(bytes / 4 + 8);
  }

  /// `text` is valid UTF-8 and outlives this.
  void add(std::string_view text, bool at_start) {
    const char* const begin = text.data();
    tokenizer_.raw_finder_.split(
        text, [&](std::string_view part) { add_part(part, at_start && part.data() == begin); },
        [&](TokenId id) { work_.ids.push_back(id); });
  }
  void add_bytes(std::string_view bytes) {
    for (const char byte : bytes) tokenizer_.model_->append_byte(byte, work_);
  }
  std::vector<TokenId> take() { return std::move(work_.ids); }

 private:
  void add_part(std::string_view part, bool at_start) {
    size_t origin = at_start ? 1 : 0;
    if (tokenizer_.normalizer_) {
      NormalizedText normalized{.text = std::string(part), .origin = origin};
      tokenizer_.normalizer_->apply(normalized);
      expect_text_length(normalized.text.size());
      origin = normalized.origin;
      part = store_.keep(std::move(normalized.text));
    }
    const Piece whole{.text = part, .origin = origin};
    tokenizer_.normalized_finder_.split(
        part, [&](std::string_view text) { add_plain(whole.part(text)); },
        [&](TokenId id) { work_.ids.push_back(id); });
  }

  /// Text without added tokens, on all threads where it is long.
  void add_plain(const Piece& plain) {
    const size_t part_bytes =
        tokenizer_.pre_tokenizer_.ends_words_at_cuts() ? encode_part_bytes(plain.text.size()) : plain.text.size();
    const std::vector<std::string_view> parts = cut_at_words(plain.text, part_bytes);
    if (parts.size() == 1) return tokenizer_.encode_piece(plain, store_, work_);
    const auto ids = encode_parts(parts.size(), [&](size_t i, std::vector<TokenId>& part_ids) {
      TextStore store;
      EncodeWork work(parts[i].size());
      tokenizer_.encode_piece(plain.part(parts[i]), store, work);
      part_ids = std::move(work.ids);
    });
    work_.ids.insert(work_.ids.end(), ids.begin(), ids.end());
  }

  const PipelineTokenizer& tokenizer_;
  TextStore store_;
  EncodeWork work_;
};

std::vector<TokenId> PipelineTokenizer::encode(std::string_view text) const {
  expect_text_length(text.size());
  Encoding encoding(*this, text.size());
  std::string repaired;
  if (!bytes_ && valid_utf8_length(text) < text.size()) {
    repaired = lossy_utf8(text);
    text = repaired;
  }
  for (size_t at = 0; at < text.size();) {
    const size_t valid = valid_utf8_length(text.substr(at));
    if (valid > 0) encoding.add(text.substr(at, valid), at == 0);
    at += valid;
    if (at == text.size()) break;
    const size_t invalid = utf8_step(text.substr(at)).length;
    encoding.add_bytes(text.substr(at, invalid));
    at += invalid;
  }
  return encoding.take();
}

class PipelineTokenizer::Stream final : public TokenStream {
 public:
  Stream(const PipelineTokenizer& tokenizer, bool verbatim)
      : tokenizer_(tokenizer), verbatim_(verbatim), run_(tokenizer.decoder_->start(append_to(text_))) {}

  void push(TokenId id, std::string& text) override {
    const Token& token = tokenizer_.tokens_[tokenizer_.checked(id)];
    if (token.special && !verbatim_) return;
    run_->text(token.spelling);
    run_->end();
    give(text);
  }
  void finish(std::string& text) override {
    run_->finish();
    give(text);
  }

 private:
  void give(std::string& text) {
    text += text_;
    text_.clear();
  }

  const PipelineTokenizer& tokenizer_;
  bool verbatim_;
  std::string text_;
  std::unique_ptr<DecoderRun> run_;
};

void PipelineTokenizer::add_pieces() {
  pieces_.reserve(tokens_.size());
  for (const Token& token : tokens_) pieces_.push_back(token.special ? "" : decoder_->piece(token.spelling));
}

std::unique_ptr<TokenStream> PipelineTokenizer::stream() const { return std::make_unique<Stream>(*this, false); }

std::string PipelineTokenizer::decode(std::span<const TokenId> ids, bool verbatim) const {
  std::string text;
  Stream stream(*this, verbatim);
  for (const TokenId id : ids) stream.push(id, text);
  stream.finish(text);
  return text;
}

}  // namespace kvzip
