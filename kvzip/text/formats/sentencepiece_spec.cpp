#include "kvzip/text/formats/sentencepiece_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <unordered_set>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/formats/protobuf_reader.h"

namespace kvzip {

namespace {

// Field numbers of sentencepiece_model.proto.
enum ModelField : uint32_t { kPieces = 1, kTrainer = 2, kNormalizer = 3, kDenormalizer = 5 };
enum PieceField : uint32_t { kSpelling = 1, kScore = 2, kType = 3 };
enum TrainerField : uint32_t { kModelType = 3, kWhitespaceAsSuffix = 24, kByteFallback = 35, kUnknownSurface = 44 };
enum NormalizerField : uint32_t { kCharsmap = 2, kDummyPrefix = 3, kRemoveWhitespaces = 4, kEscapeWhitespaces = 5 };

/// Memory for a piece is many times the six bytes that the smallest one takes in the file.
constexpr size_t kMostPieces = size_t{1} << 24U;
constexpr size_t kLongestPiece = 8000;  // SentencePiece's own limit

[[noreturn]] void fail(const std::string& name, const std::string& expected, const std::string& found) {
  throw Error(ErrorCode::input, fmt::format("{}: expected {}, found {}", name, expected, found));
}

void read_piece(ProtobufReader reader, SentencePieceSpec& spec) {
  std::string_view spelling;
  float score = 0;
  uint64_t type = static_cast<uint64_t>(TokenKind::normal);
  while (reader.next()) {
    if (reader.field() == kSpelling) spelling = reader.bytes();
    if (reader.field() == kScore) score = reader.float32();
    if (reader.field() == kType) type = reader.varint();
  }
  const auto name = [&] { return fmt::format("{}[{}]", reader.name(), spec.pieces.size()); };
  if (spec.pieces.size() == kMostPieces) fail(reader.name(), fmt::format("at most {}", kMostPieces), "more");
  if (spelling.empty()) fail(name(), "a spelling", "none");
  if (spelling.size() >= kLongestPiece) {
    fail(name(), fmt::format("less than {} bytes", kLongestPiece), fmt::format("{}", spelling.size()));
  }
  if (!std::isfinite(score)) fail(name(), "a number as its score", fmt::format("{}", score));
  if (type < 1 || type > 6) {
    throw Error(ErrorCode::unsupported, fmt::format("{}: type: expected 1 to 6, found {}", name(), type));
  }
  spec.pieces.emplace_back(spelling);
  spec.scores.push_back(score);
  spec.kinds.push_back(static_cast<TokenKind>(type));
}

void read_trainer(ProtobufReader reader, SentencePieceSpec& spec) {
  while (reader.next()) {
    if (reader.field() == kModelType) {
      const uint64_t type = reader.varint();
      if (type < 1 || type > 4) {
        throw Error(ErrorCode::unsupported,
                    fmt::format("{}: model_type: expected 1 (unigram), 2 (bpe), 3 (word) or 4 (char), found {}",
                                reader.name(), type));
      }
      spec.type = static_cast<SentencePieceModelType>(type);
    }
    if (reader.field() == kWhitespaceAsSuffix) spec.whitespace_as_suffix = reader.boolean();
    if (reader.field() == kByteFallback) spec.byte_fallback = reader.boolean();
    if (reader.field() == kUnknownSurface) spec.unknown_surface = reader.bytes();
  }
}

// The rules as text (normalization_rule_tsv) are what the charsmap was made of; SentencePiece reads only the charsmap.
void read_normalizer(ProtobufReader reader, SentencePieceNormalization& normalization) {
  while (reader.next()) {
    if (reader.field() == kCharsmap) normalization.charsmap = reader.bytes();
    if (reader.field() == kDummyPrefix) normalization.add_dummy_prefix = reader.boolean();
    if (reader.field() == kRemoveWhitespaces) normalization.remove_extra_whitespaces = reader.boolean();
    if (reader.field() == kEscapeWhitespaces) normalization.escape_whitespaces = reader.boolean();
  }
}

/// BPE has one name space for all pieces, the other models keep control, unknown and byte pieces apart.
void check_pieces(const std::string& name, const SentencePieceSpec& spec) {
  std::unordered_set<std::string_view> found;
  std::unordered_set<std::string_view> reserved;
  size_t unknowns = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < spec.pieces.size(); ++i) {
    const TokenKind kind = spec.kinds[i];
    const bool apart = spec.type != SentencePieceModelType::bpe &&
                       (kind == TokenKind::control || kind == TokenKind::unknown || kind == TokenKind::byte);
    if (!(apart ? reserved : found).insert(spec.pieces[i]).second) {
      fail(fmt::format("{}: pieces[{}]", name, i), "a piece that is not there yet", quote(spec.pieces[i]));
    }
    unknowns += kind == TokenKind::unknown ? 1 : 0;
    bytes += kind == TokenKind::byte ? 1 : 0;
  }
  if (unknowns > 1) fail(name + ": pieces", "one unknown piece", fmt::format("{}", unknowns));
  if (unknowns == 0 && !spec.byte_fallback) fail(name + ": pieces", "an unknown piece or byte_fallback", "neither");
  if (bytes != (spec.byte_fallback ? 256 : 0)) {
    fail(name + ": pieces",
         fmt::format("{} of type byte, as byte_fallback is {}", spec.byte_fallback ? 256 : 0, spec.byte_fallback),
         fmt::format("{}", bytes));
  }
}

}  // namespace

SentencePieceSpec parse_sentencepiece_spec(std::string_view name, std::string_view bytes) {
  SentencePieceSpec spec;
  ProtobufReader reader{std::string(name), bytes};
  while (reader.next()) {
    if (reader.field() == kPieces) read_piece(reader.message("pieces"), spec);
    if (reader.field() == kTrainer) read_trainer(reader.message("trainer_spec"), spec);
    if (reader.field() == kNormalizer) read_normalizer(reader.message("normalizer_spec"), spec.normalization);
    if (reader.field() == kDenormalizer) read_normalizer(reader.message("denormalizer_spec"), spec.denormalization);
  }
  if (spec.pieces.empty()) fail(reader.name(), "a SentencePiece model with pieces", "none");
  check_pieces(reader.name(), spec);
  // Converters of models add a zero byte that the byte pieces already cover; SentencePiece sets it aside.
  const auto zero = std::ranges::find(spec.pieces, std::string(1, '\0'));
  if (spec.byte_fallback && zero != spec.pieces.end()) {
    spec.kinds[static_cast<size_t>(zero - spec.pieces.begin())] = TokenKind::unused;
  }
  return spec;
}

}  // namespace kvzip
