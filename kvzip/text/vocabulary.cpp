#include "kvzip/text/vocabulary.h"

#include <fmt/format.h>

#include <limits>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/byte_bpe.h"
#include "kvzip/text/sentencepiece.h"

namespace kvzip {

std::unique_ptr<Tokenizer> make_tokenizer(Vocabulary vocabulary) {
  const size_t count = vocabulary.tokens.size();
  if (count == 0 || count > std::numeric_limits<TokenId>::max() || vocabulary.merges.size() >= Merge::kNoRank) {
    throw Error(ErrorCode::input, fmt::format("tokenizer.ggml.tokens: expected 1 to 2^31 - 1 tokens, found {}", count));
  }
  if (!vocabulary.kinds.empty() && vocabulary.kinds.size() != count) {
    throw Error(ErrorCode::input, fmt::format("tokenizer.ggml.token_type: expected one for each of {} tokens, found {}",
                                              count, vocabulary.kinds.size()));
  }
  if (vocabulary.model == "gpt2") return std::make_unique<ByteBpe>(std::move(vocabulary));
  if (vocabulary.model == "llama") return std::make_unique<SentencePiece>(std::move(vocabulary));
  throw Error(ErrorCode::unsupported,
              fmt::format("tokenizer.ggml.model: expected gpt2 or llama, found {}", quote(vocabulary.model)));
}

}  // namespace kvzip
