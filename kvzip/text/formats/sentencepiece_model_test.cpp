#include "kvzip/text/formats/sentencepiece_model.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/formats/protobuf_builder.h"
#include "kvzip/text/incremental_decoder.h"
#include "tests/mutate.h"

namespace kvzip {
namespace {

using Ids = std::vector<TokenId>;

enum Type : uint32_t { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6 };
enum Model : uint32_t { kUnigram = 1, kBpe = 2, kWord = 3, kCharacter = 4 };

std::string piece(const std::string& spelling, float score = 0, uint64_t type = kNormal) {
  return ProtobufBuilder().bytes(1, spelling).float32(2, score).varint(3, type).str();
}

ProtobufBuilder with_pieces() {
  return ProtobufBuilder()
      .bytes(1, piece("<unk>", 0, kUnknown))
      .bytes(1, piece("<s>", 0, kControl))
      .bytes(1, piece("#x", 0, kUserDefined))
      .bytes(1, piece("\u2581", -4))
      .bytes(1, piece("a", -5))
      .bytes(1, piece("b", -6))
      .bytes(1, piece("ab", -1))
      .bytes(1, piece("\u2581ab", -2));
}

std::string model(uint64_t type, bool dummy_prefix = false, bool trims = false) {
  return with_pieces()
      .bytes(2, ProtobufBuilder().varint(3, type).str())
      .bytes(3, ProtobufBuilder().varint(3, dummy_prefix ? 1 : 0).varint(4, trims ? 1 : 0).str())
      .str();
}

std::unique_ptr<Tokenizer> parse(const std::string& bytes, bool find_control = true) {
  return parse_sentencepiece_model("f", bytes, {.find_control_tokens = find_control});
}

TEST(SentencePieceModel, EncodesByItsModel) {
  EXPECT_EQ(parse(model(kUnigram))->encode("ab ab#xz"), (Ids{6, 7, 2, 0}));
  EXPECT_EQ(parse(model(kBpe))->encode("ab abzz#xz"), (Ids{6, 7, 0, 2, 0}));
  EXPECT_EQ(parse(model(kCharacter))->encode("ab a#x"), (Ids{4, 5, 3, 4, 2}));
  EXPECT_EQ(parse(model(kWord))->encode("ab ab b"), (Ids{6, 7, 0}));
  EXPECT_EQ(parse(model(kUnigram, true, true))->encode("  ab   ab "), (Ids{7, 7}));
  EXPECT_EQ(parse(model(kUnigram, true, false))->encode(" ab"), (Ids{3, 7}));
  EXPECT_EQ(parse(model(kBpe, true, true))->description(), "sentencepiece bpe");
  EXPECT_EQ(parse(model(kUnigram))->description(), "sentencepiece unigram");
  EXPECT_EQ(parse(model(kWord))->description(), "sentencepiece word");
  EXPECT_EQ(parse(model(kCharacter))->description(), "sentencepiece char");
  // Unigram, with a prefix and trimmed spaces, is what a file says that says nothing.
  EXPECT_EQ(parse(with_pieces().str())->encode(" ab  ab"), (Ids{7, 7}));
}

TEST(SentencePieceModel, ControlTokensAreFoundUnlessAskedNotTo) {
  for (const uint64_t type : {kUnigram, kBpe, kCharacter}) {
    EXPECT_EQ(parse(model(type))->encode("a<s>b"), (Ids{4, 1, 5}));
    EXPECT_EQ(parse(model(type), false)->encode("a<s>b"), (Ids{4, 0, 5}));
  }
  EXPECT_EQ(parse(model(kBpe, true))->encode("ab<s>ab"), (Ids{7, 1, 7}));
}

/// The text of each token as an answer shows it, with a bar behind it.
std::string streamed(const Tokenizer& tokenizer, const Ids& ids) {
  IncrementalDecoder decoder(tokenizer);
  std::string text;
  for (const TokenId id : ids) text += decoder.push(id) + "|";
  return text + decoder.flush();
}

TEST(SentencePieceModel, Decodes) {
  const auto plain = parse(model(kBpe));
  EXPECT_EQ(plain->decode(Ids{3, 7, 1, 2, 0, 3}), "  ab#x \u2047  ");
  EXPECT_EQ(streamed(*plain, {3, 7, 1, 2, 0, 3}), " | ab||#x| \u2047 | |");
  const auto prefixed = parse(model(kBpe, true));
  EXPECT_EQ(prefixed->decode(Ids{3, 7, 1, 7}), " ab ab");
  EXPECT_EQ(streamed(*prefixed, {3, 7, 1, 7}), "| ab|| ab|");
  const auto trimmed = parse(model(kBpe, true, true));
  EXPECT_EQ(trimmed->decode(Ids{1, 3, 7, 7}), "ab ab");
  EXPECT_EQ(streamed(*trimmed, {1, 3, 7, 7}), "||ab| ab|");
  EXPECT_EQ(plain->piece(7), " ab");
  EXPECT_EQ(plain->spelling(7), "\u2581ab");
  EXPECT_THROW(plain->decode(Ids{8}), Error);
}

TEST(SentencePieceModel, ByteFallback) {
  ProtobufBuilder builder = with_pieces().bytes(2, ProtobufBuilder().varint(3, kBpe).varint(35, 1).str());
  for (int byte = 0; byte < 256; ++byte) builder.bytes(1, piece(fmt::format("<0x{:02X}>", byte), 0, kByte));
  const auto tokenizer = parse(builder.str());
  EXPECT_EQ(tokenizer->encode("ab\u00E9"), (Ids{7, 8 + 0xC3, 8 + 0xA9}));
  EXPECT_EQ(tokenizer->decode(Ids{7, 8 + 0xC3, 8 + 0xA9, 8 + 0xC3}), "ab\u00E9\xC3");
  const std::string one_less = builder.str().substr(0, builder.str().size() - piece("<0xFF>", 0, kByte).size() - 2);
  EXPECT_THROW(parse(one_less), Error);
}

std::string error_of(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    EXPECT_TRUE(std::string_view(error.what()).starts_with("f: ")) << error.what();
    return error.what();
  }
  return "";
}

TEST(SentencePieceModel, WrongFilesAreErrors) {
  const auto says = [](const std::string& bytes, const std::string& what) {
    EXPECT_NE(error_of(bytes).find(what), std::string::npos) << error_of(bytes);
  };
  const auto with = [](const std::string& one) { return with_pieces().bytes(1, one).str(); };
  says("", "expected a SentencePiece model with pieces, found none");
  says(ProtobufBuilder().bytes(2, "").str(), "found none");
  says(with(piece("ab")), "pieces[8]: expected a piece that is not there yet");
  says(with(piece("<unk>")).append(ProtobufBuilder().bytes(2, ProtobufBuilder().varint(3, kBpe).str()).str()),
       "not there yet");
  says(with(piece("<u>", 0, kUnknown)), "one unknown piece, found 2");
  says(with(piece("")), "pieces[8]: expected a spelling");
  says(with(piece(std::string(8000, 'a'))), "less than 8000 bytes");
  says(with(piece("c", std::numeric_limits<float>::quiet_NaN())), "a number as its score");
  says(with(piece("c", std::numeric_limits<float>::infinity())), "a number as its score");
  says(with(piece("c", 0, 7)), "type: expected 1 to 6, found 7");
  says(with(piece("c", 0, 0)), "type: expected 1 to 6, found 0");
  says(with(piece("<0x0A>", 0, kByte)), "0 of type byte");
  says(with(piece(std::string(257, 'c'), 0, kUserDefined)), "user-defined piece of at most 256");
  says(with(piece(std::string(257, 'c'), 0, kControl)), "special token of at most 256");
  says(ProtobufBuilder().bytes(1, piece("a")).str(), "an unknown piece or byte_fallback, found neither");
  says(model(5), "model_type: expected 1 (unigram)");
  says(with_pieces().varint(2, 1).str(), "field 2: expected wire type 2");
  says(with_pieces().bytes(3, ProtobufBuilder().bytes(2, "abc").str()).str(), "precompiled_charsmap");
  says(with_pieces()
           .bytes(2, ProtobufBuilder().varint(3, kBpe).str())
           .bytes(3, ProtobufBuilder().varint(5, 0).str())
           .str(),
       "escape_whitespaces");
  EXPECT_THROW(read_sentencepiece_model("/nowhere/at/all.model"), Error);
}

TEST(SentencePieceModel, DamagedFilesOpenOrAreErrors) {
  for (const uint64_t type : {kUnigram, kBpe, kWord, kCharacter}) {
    std::string bytes = model(type, true, true);
    const auto open = [](std::span<const std::byte> file) {
      const auto tokenizer = parse_sentencepiece_model("f", {reinterpret_cast<const char*>(file.data()), file.size()});
      tokenizer->decode(tokenizer->encode("ab <s>#xz \xFF\u00E9 a"));
    };
    MutationCounts counts;
    for (size_t size = 0; size < bytes.size(); ++size) {
      const std::vector<char> copy(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      try_open(std::as_bytes(std::span(copy)), fmt::format("cut after byte {}", size), open, counts);
    }
    for (size_t at = 0; at < bytes.size(); ++at) {
      for (unsigned change = 1; change < 256; change = change * 2 + 1) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(static_cast<uint8_t>(damaged[at]) ^ change);
        try_open(std::as_bytes(std::span(damaged)), fmt::format("byte {} changed by {}", at, change), open, counts);
      }
    }
    EXPECT_GT(counts.opened, 0U);
    EXPECT_GT(counts.rejected, bytes.size() / 2);
  }
}

}  // namespace
}  // namespace kvzip
