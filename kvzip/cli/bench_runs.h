// Measurements of `kvzip bench`. One thread; nothing else should run on the machine.
#pragma once

#include <vector>

#include "kvzip/cli/engine.h"

namespace kvzip::cli {

struct BenchPlan {
  std::vector<size_t> prefill = {512, 2048, 4096, 7936};  ///< tokens
  std::vector<size_t> scoring = {4096};                   ///< tokens
  std::vector<size_t> streaming{};                        ///< tokens
  std::vector<size_t> depths = {0, 1024, 4096, 7936};     ///< tokens before the decoding
  std::vector<double> keeps = {1, 0.5, 0.3, 0.1};         ///< fractions kept; at depth 0 there is nothing to keep
  std::vector<size_t> questions = {1};                    ///< answered at once
  size_t repetitions = 5;
  size_t decode_tokens = 32;
  uint64_t seed = 1;
};

/// The fraction KEPT where compressing is timed.
inline constexpr double kCompressed = 0.3;

struct Spread {
  double median = 0;
  double min = 0;
  double max = 0;
};
/// Of at least one value.
Spread spread_of(std::vector<double> values);

struct PrefillFigure {
  size_t tokens = 0;
  Spread tokens_per_s;
};
struct ScoringFigure {
  Scoring scoring = Scoring::exact;
  size_t tokens = 0;
  Spread seconds;
  Spread prefill_seconds;
  Spread ratio;                ///< scoring over prefill, run by run
  Spread compression_seconds;  ///< of choosing and gathering kCompressed of it
};
/// Reading, scoring and cutting chunk by chunk, down to kCompressed.
struct StreamingFigure {
  size_t tokens = 0;
  bool gated = false;  ///< scored by a gate of random weights, in place of repetitions
  Spread seconds{};
  Spread scoring_seconds{};  ///< of them
  size_t kv_bytes = 0;       ///< of what is left
};
struct DecodeFigure {
  size_t depth = 0;
  double keep = 1;
  size_t questions = 1;   ///< answered at once
  size_t kv_bytes = 0;    ///< on one device
  Spread tokens_per_s;    ///< of all questions
  double replayed = 0;    ///< fraction of the tokens that the device repeated from a recording of the one before
  bool given_up = false;  ///< it would have gained from that, but can't
};

/// Runs on documents of random tokens, of which the time doesn't depend on what they say. All throw Error{cancelled}.
class Bench {
 public:
  Bench(const Engine& engine, ReadingFlags reading, BenchPlan plan)
      : engine_(engine), reading_(std::move(reading)), plan_(std::move(plan)) {}

  /// Throws Error{usage} where the model's context is too short for the plan.
  void check_lengths() const;
  PrefillFigure prefill(size_t tokens) const;
  /// One figure per kind of scoring, in turns over the same readings.
  std::vector<ScoringFigure> scoring(size_t tokens) const;
  StreamingFigure streaming(size_t tokens, const StreamOptions& options, bool gated) const;
  /// One figure per keep and number of questions. The document is read once; its scores are made up, with heads that
  /// differ by orders of magnitude as real ones do.
  std::vector<DecodeFigure> decode(size_t depth) const;

 private:
  Reading read(size_t tokens) const;
  /// Tokens per second; `figure` says how many questions, and learns what was replayed.
  double decode_once(const PastFn& past, DecodeFigure& figure) const;

  const Engine& engine_;
  ReadingFlags reading_;
  BenchPlan plan_;
};

}  // namespace kvzip::cli
