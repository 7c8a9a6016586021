#include "kvzip/cli/training_flags.h"

#include <CLI/CLI.hpp>

namespace kvzip::cli {

TokenizerTraining TrainingFlags::parsed() const {
  TokenizerTraining training = options;
  training.model = model == "bpe"         ? TokenizerModel::bpe
                   : model == "wordpiece" ? TokenizerModel::wordpiece
                                          : TokenizerModel::unigram;
  if (limit_alphabet > 0) training.limit_alphabet = limit_alphabet;
  if (max_token_length > 0) training.max_token_length = max_token_length;
  return training;
}

void add_training_options(CLI::App& command, TrainingFlags& flags) {
  TokenizerTraining& options = flags.options;
  constexpr size_t kMost = size_t{1} << 30U;
  command
      .add_option("--model", flags.model,
                  "bpe: merges frequent pairs of bytes; wordpiece: the same with characters, inside words only; "
                  "unigram: keeps the pieces that make the text likeliest")
      ->check(CLI::IsMember({"bpe", "wordpiece", "unigram"}))
      ->capture_default_str();
  command.add_option("--vocab-size", options.vocab_size, "Tokens, special ones and single characters included")
      ->check(whole(1, kMost))
      ->capture_default_str();
  command.add_option("--min-frequency", options.min_frequency, "Pairs that occur less often are not merged")
      ->check(whole(0, kMost))
      ->capture_default_str();
  // With extra arguments CLI11 would take [UNK] for a list.
  command.add_option("--special", options.special_tokens, "A special token; repeat it for more")
      ->take_all()
      ->allow_extra_args(false);
  command.add_option("--pattern", options.pattern, "bpe: how text is cut into words: gpt2, llama3 or qwen2")
      ->capture_default_str();
  command.add_flag("--add-prefix-space", options.add_prefix_space,
                   "bpe: a text begins with a space, like its other words");
  command.add_flag("--nfc", options.nfc, "bpe: characters with accents are always spelled the same way");
  command.add_flag("--lowercase", options.lowercase, "wordpiece, unigram: capital letters become small ones");
  command
      .add_option("--limit-alphabet", flags.limit_alphabet, "bpe, wordpiece: keep only the N most frequent characters")
      ->check(whole(0, kMost));
  command.add_option("--max-token-length", flags.max_token_length, "bpe: tokens of N bytes or more are not made")
      ->check(whole(0, kMost));
}

ProgressFn training_progress(ProgressBar& bar) {
  struct State {
    std::string stage;
    ProgressFn show;
  };
  return [&bar, state = std::make_shared<State>()](const Progress& progress) {
    if (state->stage != progress.stage) {
      state->stage = progress.stage;
      state->show = bar.stage(state->stage, state->stage == "counting"  ? "byte"
                                            : state->stage == "fitting" ? "piece"
                                                                        : "token");
    }
    return state->show(progress);
  };
}

}  // namespace kvzip::cli
