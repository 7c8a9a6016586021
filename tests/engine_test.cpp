// The stages together, on the built-in model: what a context promises beyond its numbers.
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <iterator>

#include "kvzip/kvzip.h"
#include "tests/test_paths.h"

namespace kvzip {
namespace {

std::string lighthouse() {
  std::ifstream file(KVZIP_SOURCE_DIR "/tests/golden/contexts/lighthouse.txt", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// All rows of a context, byte for byte.
std::string rows_of_context(const Context& context) {
  const ContextCut cut(context, context.held());
  std::string bytes;
  for (size_t layer = 0; layer < context.shape().layers(); ++layer) {
    for (const KvRows& head : cut.segment(layer).heads) {
      const size_t size = head.len * context.shape().head_row_bytes();
      bytes.append(static_cast<const char*>(head.k), size);
      bytes.append(static_cast<const char*>(head.v), size);
    }
  }
  return bytes;
}

class EngineTest : public testing::TestWithParam<std::string> {
 protected:
  Context read_and_compress(double ratio) {
    Reading reading = prefill(model_, lighthouse());
    Scores scores = score(model_, reading);
    return compress(model_, std::move(reading), std::move(scores), ratio);
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Model model_ = Model::load(GetParam() == "gemma3" ? gemma_model_path() : default_model_path(), *backend_);
};

TEST_P(EngineTest, AnsweringChangesNothingInTheContext) {
  const Context context = read_and_compress(0.3);
  const std::string before = rows_of_context(context);
  const Answer first = answer(model_, context, "What is the name of the station cat?",
                              {.sampling = {}, .max_tokens = 12, .on_text = {}});
  answer(model_, context, "When was the lighthouse lit?", {.sampling = {}, .max_tokens = 24, .on_text = {}});
  EXPECT_EQ(before, rows_of_context(context));
  const Answer again = answer(model_, context, "What is the name of the station cat?",
                              {.sampling = {}, .max_tokens = 12, .on_text = {}});
  EXPECT_EQ(first.ids, again.ids);
  EXPECT_FALSE(first.text.empty());
}

TEST_P(EngineTest, OneScoringServesEveryRatio) {
  const Context whole = read_and_compress(1.0);
  const Scores& scores = whole.scores();
  for (const double ratio : {0.7, 0.3, 0.1}) {
    const Keep keep = select(scores, Level::pair, ratio).keep;
    const Context fresh = read_and_compress(ratio);
    EXPECT_EQ(fresh.held().rows, keep.rows);
    EXPECT_LT(fresh.bytes(), whole.bytes());
    EXPECT_EQ(fresh.bytes(), whole.bytes(keep));
    const AnswerOptions options{.sampling = {}, .max_tokens = 12, .on_text = {}};
    const std::string question = "Who is the principal keeper?";
    EXPECT_EQ(answer(model_, ContextCut(whole, keep), question, options).ids,
              answer(model_, fresh, question, options).ids)
        << ratio;
  }
}

TEST_P(EngineTest, QuestionsTogetherAreAnsweredAsOneByOne) {
  const Context context = read_and_compress(0.3);
  const ContextCut cut(context, context.held());
  const std::vector<std::string> questions = {"What is the name of the station cat?", "Who is the principal keeper?",
                                              "When was the lighthouse lit, and by whom?"};
  for (const float temperature : {0.0F, 0.7F}) {
    const AnswerOptions options{.sampling = {.temperature = temperature, .seed = 3}, .max_tokens = 14, .on_text = {}};
    const std::vector<Answer> together =
        answer_together(model_, past_of(cut), context.read_tokens(), context.shape().dtype, questions, options);
    ASSERT_EQ(together.size(), questions.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      const Answer alone = answer(model_, cut, questions[i], options);
      EXPECT_EQ(together[i].ids, alone.ids) << questions[i] << ": " << together[i].text << " / " << alone.text;
      EXPECT_EQ(together[i].text, alone.text);
      EXPECT_EQ(together[i].reason, alone.reason);
      EXPECT_EQ(together[i].question_tokens, alone.question_tokens);
    }
  }
}

TEST_P(EngineTest, ACancelledStageLeavesTheReadingUsable) {
  const Reading reading = prefill(model_, lighthouse());
  const Scores expected = score(model_, reading);
  const size_t end = reading.tail.end_position();
  ScoreOptions options;
  options.progress = [](const Progress& progress) { return progress.done < progress.total / 2; };
  try {
    score(model_, reading, options);
    FAIL() << "the stage wasn't cancelled";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_EQ(reading.tail.end_position(), end);
  EXPECT_EQ(score(model_, reading).values, expected.values);
}

TEST_P(EngineTest, AQuantisedReadingCanBeHeldWhole) {
  const AnswerOptions options{.sampling = {}, .max_tokens = 8, .on_text = {}};
  const std::string question = "What is the password for the storeroom door?";
  const Reading plain = prefill(model_, lighthouse());
  const Answer expected = answer(model_, plain, question, options);
  for (const DType type : {DType::q8_0, DType::q4_0}) {
    Reading reading = prefill(model_, lighthouse(), {.kv_type = type, .batch = 512, .progress = {}});
    EXPECT_EQ(reading.tail.shape().dtype, DType::f16);
    EXPECT_EQ(reading.tail.bytes(), plain.tail.bytes());
    EXPECT_EQ(reading.context_shape().dtype, type);
    const Context context = hold_all(model_, std::move(reading));
    EXPECT_EQ(context.held().ratio(), 1);
    for (size_t i = 0; i < context.order(0, 0).size(); ++i) ASSERT_EQ(context.order(0, 0)[i], i);
    // Blocks of 32 values, head dims of 64 and 256: 34 or 18 bytes instead of 64.
    const Context f16 = hold_all(model_, prefill(model_, lighthouse()));
    EXPECT_EQ(context.bytes() * 64, f16.bytes() * (type == DType::q8_0 ? 34 : 18));
    if (type == DType::q4_0) continue;  // four bits may change an answer
    EXPECT_EQ(answer(model_, context, question, options).text, expected.text);
  }
}

TEST_P(EngineTest, AConversationGoesOnWhereItStoppedAndResetForgets) {
  const Context context = read_and_compress(1.0);
  const ContextCut cut(context, context.held());
  const AnswerOptions options{.sampling = {}, .max_tokens = 8, .on_text = {}};
  Conversation talk(model_, past_of(cut), context.read_tokens(), DType::f16);
  const Answer first = talk.ask("What is the password for the storeroom door?", options);
  const size_t bytes_after_one = talk.bytes();
  talk.ask("Are you sure?", options);
  EXPECT_GT(talk.bytes(), bytes_after_one);
  talk.reset();
  EXPECT_EQ(talk.bytes(), 0U);
  EXPECT_EQ(talk.ask("What is the password for the storeroom door?", options).ids, first.ids);
}

TEST_P(EngineTest, ARewoundConversationGoesOnFromWhatItStillKnows) {
  const Context context = read_and_compress(1.0);
  const ContextCut cut(context, context.held());
  const std::vector<TokenId> ids = model_.tokenizer().encode(lighthouse().substr(0, 400));
  const auto said = std::span(ids).first(20), next = std::span(ids).subspan(20, 7);
  Conversation talk(model_, past_of(cut), context.read_tokens(), DType::f16);
  talk.logits(said);
  const std::vector<float> expected = talk.logits(next);
  EXPECT_EQ(talk.rewind(said.size()), said.size());
  talk.logits(std::span(ids).subspan(30, 5));
  EXPECT_EQ(talk.rewind(said.size()), said.size());
  EXPECT_EQ(talk.logits(next), expected);

  EXPECT_EQ(talk.rewind(said.size() + next.size() + 1), 0U);  // so much wasn't said
  EXPECT_EQ(talk.bytes(), 0U);
  talk.ask("What is the password for the storeroom door?", {.sampling = {}, .max_tokens = 3, .on_text = {}});
  EXPECT_EQ(talk.rewind(0), 0U);
  EXPECT_EQ(talk.bytes(), 0U);

  // A sliding window drops rows for good.
  const bool slides = model_.cache_shape(DType::f16).global_layers().size() < model_.config().layers;
  for (int i = 0; i < 20; ++i) talk.logits(std::span(ids).first(60));
  EXPECT_EQ(talk.rewind(1100), slides ? 0U : 1100U);
}

TEST_P(EngineTest, AnswersComeInWholeCharactersAndCanBeStopped) {
  const Context context = read_and_compress(1.0);
  std::string streamed;
  size_t pieces = 0;
  AnswerOptions options{.sampling = {}, .max_tokens = 20, .on_text = {}};
  options.on_text = [&](std::string_view text) {
    streamed += text;
    return ++pieces < 3;
  };
  const Answer stopped = answer(model_, context, "When was the lighthouse lit for the first time?", options);
  EXPECT_EQ(stopped.text, streamed);
  EXPECT_EQ(stopped.reason, StopReason::caller);
  EXPECT_EQ(pieces, 3U);
}

INSTANTIATE_TEST_SUITE_P(Models, EngineTest, testing::Values("smollm2", "gemma3"),
                         [](const auto& name) { return name.param; });

class PromptTest : public testing::Test {
 protected:
  static void expect_error(ErrorCode code, const std::string& part, const std::function<void()>& action) {
    try {
      action();
      FAIL() << "expected an error with '" << part << "'";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), code) << error.what();
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    }
  }

  std::unique_ptr<Backend> backend_ = make_cpu_backend();
  Model model_ = Model::load(default_model_path(), *backend_);
};

TEST_F(PromptTest, RefusesDocumentsThatCannotBeRead) {
  expect_error(ErrorCode::input, "found none", [&] { prefill(model_, " \n "); });
  expect_error(ErrorCode::input, "binary", [&] { prefill(model_, std::string("a\0b", 3)); });
  std::string longer;
  for (int i = 0; i < 4000; ++i) longer += "seven words of text for the model. ";
  expect_error(ErrorCode::input, "the model's context of 8192 has room for", [&] { prefill(model_, longer); });
}

TEST_F(PromptTest, ReadsInvalidUtf8) {
  const Reading reading = prefill(model_, "caf\xe9 and \xff\xfe bytes");
  EXPECT_GT(reading.document.size(), 4U);
}

TEST_F(PromptTest, SaysHowMuchWouldFitInMemory) {
  expect_error(ErrorCode::memory, "would fit",
               [&] { require_memory(model_, size_t{1} << 40U, DType::f16, 1024, 2000); });
}

TEST_F(PromptTest, AnEmptyQuestionIsAUsageError) {
  const Reading reading = prefill(model_, "Some text.");
  expect_error(ErrorCode::usage, "question", [&] { answer(model_, reading, "  "); });
}

TEST_F(PromptTest, BatchesOfAnySizeGiveTheSameCache) {
  backend_->set_precision(Precision::exact);
  const Model exact = Model::load(default_model_path(), *backend_, {.weights = WeightMode::f32, .chat_template = {}});
  const auto scores_with = [&](size_t batch) {
    const Reading reading = prefill(exact, lighthouse(), {.kv_type = DType::f32, .batch = batch, .progress = {}});
    return score(exact, reading, {.batch = batch, .progress = {}}).values;
  };
  const auto a = scores_with(1024), b = scores_with(77);
  ASSERT_EQ(a.size(), b.size());
  for (size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(a[i], b[i], 1e-4);
}

}  // namespace
}  // namespace kvzip
