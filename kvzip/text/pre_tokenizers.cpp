#include "kvzip/text/pre_tokenizers.h"

#define PCRE2_CODE_UNIT_WIDTH 8  // PCRE2's header asks for this
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pcre2.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "kvzip/base/check.h"
#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"

namespace kvzip {

namespace {

// The patterns are part of the models: any change to them changes what the models read. \s means Unicode's White_Space
// here.
constexpr std::string_view kDigit = R"(\p{N})";
constexpr std::string_view kGpt2 = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kLlama3 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
                                     R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kQwen35 = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
                                     R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr std::string_view kPunctuation = R"([\p{P}$+<=>^~|]+)";
constexpr std::string_view kDigits = R"(\p{N}+)";
constexpr std::string_view kThreeDigits = R"([0-9][0-9][0-9])";

struct Row {
  std::vector<std::string_view> names;  ///< the first is ours, the others are models whose rules are the same
  std::vector<std::string_view> stages;
  bool whole_words_first = false;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> kRows = {
      {{"gpt-2", "phi-2", "olmo"}, {kGpt2}},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell"}, {kDigit, kGpt2}},
      {{"qwen2", "deepseek-r1-qwen"}, {kQwen2}},
      {{"qwen35"}, {kQwen35}},
      {{"llama-bpe", "llama3", "llama-v3"}, {kLlama3}, true},
      {{"default"}, {kPunctuation, kGpt2, kDigits, kThreeDigits}},
  };
  return kRows;
}

const Row& row_of(std::string_view name) {
  std::vector<std::string_view> known;
  for (const Row& row : rows()) {
    if (std::ranges::find(row.names, name) != row.names.end()) return row;
    known.insert(known.end(), row.names.begin(), row.names.end());
  }
  throw Error(ErrorCode::unsupported,
              fmt::format("tokenizer.ggml.pre: expected one of {}, found {}", fmt::join(known, ", "), quote(name)));
}

/// PCRE2's own \s also takes U+180E, which the models' regular expressions do not.
std::string with_unicode_spaces(std::string_view pattern) {
  std::string out(pattern);
  for (size_t at = out.find('\\'); at < out.size(); at = out.find('\\', at + 2)) {
    if (out[at + 1] == 's') out.replace(at, 2, "\\p{Wspace}");
    if (out[at + 1] == 'S') out.replace(at, 2, "\\P{Wspace}");
  }
  return out;
}

struct Free {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

// Steps that a match may take. Ours never need more than a few per byte of the word, so this is met by no text below
// 100 MB.
constexpr uint32_t kMatchLimit = 1'000'000'000;

}  // namespace

/// A compiled regular expression. PCRE2 leaves compiled code and match contexts unchanged while matching, so they are
/// shared.
class PreTokenizer::Pattern {
 public:
  explicit Pattern(std::string_view model_pattern) : context_(pcre2_match_context_create(nullptr)) {
    const std::string pattern = with_unicode_spaces(model_pattern);
    int error = 0;
    size_t offset = 0;
    code_.reset(pcre2_compile(subject_of(pattern), pattern.size(), PCRE2_UTF | PCRE2_UCP, &error, &offset, nullptr));
    check(code_ != nullptr && context_ != nullptr, "a pre-tokenizer pattern compiles");
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // where it can't, the interpreter does the same more slowly
    pcre2_set_match_limit(context_.get(), kMatchLimit);
  }

  /// Calls visit(piece) for the matches and for what lies between them.
  template <class Visit>
  void split(std::string_view text, Visit visit) const {
    const std::unique_ptr<pcre2_match_data, Free> data(pcre2_match_data_create(1, nullptr));
    if (!data) throw Error(ErrorCode::memory, "no memory to match a pattern");
    size_t at = 0;
    while (at < text.size()) {
      if (!match(text, at, data.get())) break;
      const size_t* range = pcre2_get_ovector_pointer(data.get());
      check(range[1] > at && range[1] > range[0], "a pre-tokenizer pattern matches some text");
      if (range[0] > at) visit(text.substr(at, range[0] - at));
      visit(text.substr(range[0], range[1] - range[0]));
      at = range[1];
    }
    if (at < text.size()) visit(text.substr(at));
  }

 private:
  static PCRE2_SPTR subject_of(std::string_view text) {
    return reinterpret_cast<PCRE2_SPTR>(text.data());  // PCRE2 takes unsigned chars
  }

  bool match(std::string_view text, size_t from, pcre2_match_data* data) const {
    const auto run = [&](uint32_t options) {
      return pcre2_match(code_.get(), subject_of(text), text.size(), from, PCRE2_NO_UTF_CHECK | options, data,
                         context_.get());
    };
    int result = run(0);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return false;
    if (result > 0) return true;
    throw Error(ErrorCode::input,
                fmt::format("text at byte {}: a word too long to split (PCRE2 error {})", from, result));
  }

  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_context, Free> context_;
};

const std::vector<std::string_view>& pre_tokenizer_patterns(std::string_view name) { return row_of(name).stages; }

PreTokenizer::PreTokenizer(std::string_view name) : name_(name) {
  const Row& row = row_of(name);
  whole_words_first_ = row.whole_words_first;
  for (const std::string_view stage : row.stages) stages_.push_back(std::make_unique<Pattern>(stage));
}

PreTokenizer::~PreTokenizer() = default;

void PreTokenizer::split(std::string_view text, const std::function<void(std::string_view)>& visit) const {
  split_from(0, text, visit);
}

void PreTokenizer::split_from(size_t stage, std::string_view text,
                              const std::function<void(std::string_view)>& visit) const {
  if (stage == stages_.size()) return visit(text);
  stages_[stage]->split(text, [&](std::string_view piece) { split_from(stage + 1, piece, visit); });
}

}  // namespace kvzip
