// `kvzip tokenizer train`: a vocabulary learnt from text files, as a tokenizer.json.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "kvzip/base/atomic_file.h"
#include "kvzip/base/mapped_file.h"
#include "kvzip/base/parallel.h"
#include "kvzip/cli/commands.h"
#include "kvzip/cli/format.h"
#include "kvzip/cli/interrupt.h"
#include "kvzip/cli/json_output.h"
#include "kvzip/cli/read_document.h"
#include "kvzip/cli/training_flags.h"
#include "kvzip/stages/memory.h"

namespace kvzip::cli {
namespace {

struct TrainFlags {
  std::vector<std::string> files;
  std::string output;
  TrainingFlags training;
  size_t threads = 0;
  OutputFlags display;
};

/// The texts of the files; "-" is standard input. Owns what they view.
class Corpus {
 public:
  explicit Corpus(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) add(path);
  }
  const std::vector<TrainingText>& texts() const { return texts_; }

 private:
  void add(const std::string& path) {
    if (path == "-") {
      read_.push_back(std::make_unique<std::string>(read_document(path)));
      texts_.push_back({document_name(path), *read_.back()});
      return;
    }
    std::error_code ignored;
    // A mapping can't be empty, but one empty file among many is no reason to stop.
    if (std::filesystem::is_regular_file(path, ignored) && std::filesystem::file_size(path, ignored) == 0) return;
    mapped_.push_back(std::make_unique<MappedFile>(path));
    const std::span<const std::byte> bytes = mapped_.back()->bytes();
    texts_.push_back({path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()}});
  }

  std::vector<std::unique_ptr<MappedFile>> mapped_;
  std::vector<std::unique_ptr<std::string>> read_;
  std::vector<TrainingText> texts_;
};

void check_output(const TrainFlags& flags) {
  require_writable(flags.output);
  std::error_code ignored;
  for (const std::string& file : flags.files) {
    if (std::filesystem::equivalent(file, flags.output, ignored))
      throw Error(ErrorCode::usage, fmt::format("-o: {} is one of the texts, and would be replaced", flags.output));
  }
}

double bytes_per_token(const TrainedTokenizer& trained) {
  return static_cast<double>(trained.bytes) / static_cast<double>(std::max<uint64_t>(trained.tokens, 1));
}

void print_summary(const TrainFlags& flags, const TrainedTokenizer& trained, double seconds, ProgressBar& bar) {
  bar.note("corpus", fmt::format("{} in {}, {} of them different", format_bytes(trained.bytes),
                                 counted(trained.words, "word"), grouped(trained.distinct_words)));
  bar.note("vocabulary",
           fmt::format("{}, {} of them special{}", counted(trained.vocab_size, "token"),
                       grouped(flags.training.options.special_tokens.size()),
                       trained.vocab_size < flags.training.options.vocab_size
                           ? fmt::format("; {} were asked for, but nothing is left that is frequent enough",
                                         grouped(flags.training.options.vocab_size))
                           : ""));
  bar.note("compression", fmt::format("{} on this corpus, {:.2f} bytes each", counted(trained.tokens, "token"),
                                      bytes_per_token(trained)));
  bar.note("written", fmt::format("{}, after {}", flags.output, format_seconds(seconds)));
}

void run_train(const TrainFlags& flags) {
  const TokenizerTraining training = flags.training.parsed();
  check_training(training);
  check_output(flags);
  set_thread_count(flags.threads);
  ProgressBar bar(flags.display.quiet);
  const Stopwatch watch;
  const Corpus corpus(flags.files);
  const TrainedTokenizer trained = train_tokenizer(corpus.texts(), training, training_progress(bar));
  throw_if_interrupted();
  write_file_atomically(flags.output, [&](FileWriter& file) { file.write(trained.json); });
  const double seconds = watch.seconds();
  print_summary(flags, trained, seconds, bar);
  if (!flags.display.json) return;
  print_json({{"file", flags.output},
              {"model", flags.training.model},
              {"vocab_size", trained.vocab_size},
              {"merges", trained.merges},
              {"bytes", trained.bytes},
              {"words", trained.words},
              {"distinct_words", trained.distinct_words},
              {"tokens", trained.tokens},
              {"bytes_per_token", bytes_per_token(trained)},
              {"seconds", seconds}});
}

}  // namespace

std::function<void()> add_tokenizer(CLI::App& command) {
  command.require_subcommand(1);
  command.footer(
      "Examples:\n"
      "  kvzip tokenizer train book.txt -o tokenizer.json\n"
      "  kvzip tokenize --tokenizer tokenizer.json --text \"Hello, world\"\n");
  CLI::App* train = command.add_subcommand("train", "Learn a vocabulary from text files");
  const auto flags = std::make_shared<TrainFlags>();
  train->add_option("FILE", flags->files, "The texts, UTF-8; - is standard input")->required();
  train->add_option("-o,--output", flags->output, "The tokenizer.json to write")->required();
  add_training_options(*train, flags->training);
  add_threads_option(*train, flags->threads);
  add_output_options(*train, flags->display);
  train->footer(
      "The file works with the Python package `tokenizers` too, whose BPE trainer learns the same merges.\n\n"
      "Examples:\n"
      "  kvzip tokenizer train *.txt -o tokenizer.json --vocab-size 8000 --special \"<|endoftext|>\"\n"
      "  kvzip tokenizer train book.txt -o tokenizer.json --pattern llama3\n");
  return [flags] { run_train(*flags); };
}

}  // namespace kvzip::cli
