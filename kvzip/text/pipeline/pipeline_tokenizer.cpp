#include "kvzip/text/pipeline/pipeline_tokenizer.h"

#include <fmt/format.h>

#include <span>
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
std::unique_ptr<PipelineModel> find_pipeline_model(const Component& file, PreTokenizerChain& pre_tokenizer,
                                                   bool& bytes) {
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
      model_(find_pipeline_model(file, pre_tokenizer_, bytes_)),
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

size_t PipelineTokenizer::find_cut(std::string_view text, size_t from) const {
  if (pre_tokenizer_.empty()) return model_->find_cut(text, from);
  return kvzip::find_cut(text, from, pre_tokenizer_.cuts());
}

/// One call of encode(). Text is first taken apart into segments, which are then encoded on all threads.
class PipelineTokenizer::Encoding {
 public:
  Encoding(const PipelineTokenizer& tokenizer, size_t bytes)
      : tokenizer_(tokenizer), part_bytes_(encode_part_bytes(bytes)), work_(bytes) {
    work_.ids.reserve(bytes / 4 + 8);
  }

  /// `text` is valid UTF-8 and outlives this.
  void add(std::string_view text, bool at_start) {
    const char* const begin = text.data();
    tokenizer_.raw_finder_.split(
        text, [&](std::string_view part) { add_part(part, at_start && part.data() == begin); },
        [&](TokenId id) { add_segment({.id = id}); });
  }
  void add_bytes(std::string_view bytes) { add_segment({.piece = {.text = bytes}, .raw_bytes = true}); }

  std::vector<TokenId> take() {
    flush();
    return std::move(work_.ids);
  }

 private:
  struct Segment {
    Piece piece{};  ///< text without added tokens
    TokenId id = -1;
    bool raw_bytes = false;
  };

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
    const auto add_plain = [&](std::string_view text) {
      const Piece plain = whole.part(text);
      const auto cut_at = [this](std::string_view rest, size_t from) { return tokenizer_.find_cut(rest, from); };
      for (const std::string_view cut : cut_text(text, part_bytes_, cut_at)) add_segment({.piece = plain.part(cut)});
    };
    tokenizer_.normalized_finder_.split(part, add_plain, [&](TokenId id) { add_segment({.id = id}); });
  }

  void add_segment(const Segment& segment) {
    constexpr size_t kMost = size_t{1} << 20U;  // bounds the memory of a text that is all special tokens
    if (segments_.size() == kMost) flush();
    segments_.push_back(segment);
  }

  /// Segments in a row that are one thread's work.
  std::vector<std::span<const Segment>> groups() const {
    std::vector<std::span<const Segment>> groups;
    const std::span<const Segment> all(segments_);
    size_t total = 0;
    for (const Segment& segment : all) total += segment.piece.text.size();
    const size_t least = encode_part_bytes(total);
    size_t begin = 0, bytes = 0;
    for (size_t i = 0; i < all.size(); ++i) {
      bytes += all[i].piece.text.size();
      if (bytes < least && i + 1 < all.size()) continue;
      groups.push_back(all.subspan(begin, i + 1 - begin));
      begin = i + 1;
      bytes = 0;
    }
    return groups;
  }

  void encode_segments(std::span<const Segment> segments, TextStore& store, EncodeWork& work) const {
    for (const Segment& segment : segments) {
      if (segment.id >= 0) {
        work.ids.push_back(segment.id);
      } else if (segment.raw_bytes) {
        for (const char byte : segment.piece.text) tokenizer_.model_->append_byte(byte, work);
      } else {
        tokenizer_.encode_piece(segment.piece, store, work);
      }
    }
  }

  void flush() {
    const auto parts = groups();
    if (parts.size() <= 1) {
      encode_segments(segments_, store_, work_);
    } else {
      const auto ids = encode_parts(parts.size(), [&](size_t i, std::vector<TokenId>& part_ids) {
        TextStore store;
        EncodeWork work(part_bytes_);
        encode_segments(parts[i], store, work);
        part_ids = std::move(work.ids);
      });
      work_.ids.insert(work_.ids.end(), ids.begin(), ids.end());
    }
    segments_.clear();
  }

  const PipelineTokenizer& tokenizer_;
  size_t part_bytes_;
  TextStore store_;
  EncodeWork work_;
  std::vector<Segment> segments_;
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
