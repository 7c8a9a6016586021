#include "kvzip/text/chat_template.h"

#include <gtest/gtest.h>

#include "kvzip/base/error.h"
#include "kvzip/text/vocabulary.h"

namespace kvzip {
namespace {

/// A vocabulary of these control tokens and of "</s>" as an ordinary one.
std::unique_ptr<Tokenizer> with_control(const std::vector<std::string>& control) {
  Vocabulary vocabulary{
      .model = "gpt2", .pre = "gpt-2", .tokens = {"</s>"}, .kinds = {TokenKind::normal}, .scores = {}, .merges = {}};
  vocabulary.tokens.insert(vocabulary.tokens.end(), control.begin(), control.end());
  vocabulary.kinds.resize(vocabulary.tokens.size(), TokenKind::control);
  return make_tokenizer(std::move(vocabulary));
}

TEST(ChatTemplate, NamesAndStrings) {
  for (const char* name : {"llama3", "chatml", "qwen3", "gemma3", "plain"}) EXPECT_EQ(find_template(name).name, name);
  EXPECT_EQ(find_template("chatml").prefix,
            "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n");
  EXPECT_EQ(find_template("qwen3").prefix, find_template("chatml").prefix);
  EXPECT_EQ(find_template("qwen3").postfix, find_template("chatml").postfix + "<think>\n\n</think>\n\n");
  EXPECT_EQ(find_template("plain").prefix + find_template("plain").postfix, "<|begin_of_text|>\n\nAnswer: ");
}

TEST(ChatTemplate, AnUnknownNameListsTheKnownOnes) {
  try {
    find_template("vicuna");
    FAIL() << "expected an Error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::usage);
    for (const char* part : {"vicuna", "llama3", "plain"})
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos);
  }
}

TEST(ChatTemplate, GuessesByTheControlTokens) {
  EXPECT_EQ(guess_template(*with_control({"<|start_header_id|>"}), "llama").name, "llama3");
  EXPECT_EQ(guess_template(*with_control({"<|im_start|>"}), "llama").name, "chatml");
  EXPECT_EQ(guess_template(*with_control({"<|im_start|>"}), "qwen2").name, "chatml");
  EXPECT_EQ(guess_template(*with_control({"<|im_start|>"}), "qwen3").name, "qwen3");
  EXPECT_EQ(guess_template(*with_control({"<start_of_turn>"}), "gemma3").name, "gemma3");
  EXPECT_EQ(guess_template(*with_control({}), "qwen3").name, "plain");
}

TEST(ChatTemplate, StopTokensAreThoseThatExistAsControl) {
  EXPECT_EQ(stop_tokens(*with_control({"<|endoftext|>", "<|im_start|>", "<|im_end|>"})), (std::vector<TokenId>{3, 1}));
  EXPECT_EQ(stop_tokens(*with_control({"<eos>", "<end_of_turn>"})), (std::vector<TokenId>{2, 1}));
  EXPECT_TRUE(stop_tokens(*with_control({})).empty());  // "</s>" is there, but as ordinary text
}

}  // namespace
}  // namespace kvzip
