#include "kvzip/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8  // PCRE2's header asks for this
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <array>

#include "kvzip/base/error.h"
#include "kvzip/base/quote.h"
#include "kvzip/text/regex_dialect.h"
#include "kvzip/text/unicode/newer_points.h"
#include "kvzip/text/utf8.h"

namespace kvzip {

// Not in the unnamed namespace: a part of Regex holds some.
struct FreePcre2 {
  void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  void operator()(pcre2_compile_context* context) const { pcre2_compile_context_free(context); }
};

namespace {

/// Steps that a match may take. Patterns of models never need more than a few per byte of the word, so this is met by
/// no text below 100 MB, while an exponential pattern meets it in a second or a few.
uint32_t match_limit(size_t text_bytes) {
  constexpr size_t kLeast = 100'000'000;
  constexpr size_t kMost = 1'000'000'000;
  constexpr size_t kPerByte = 1000;
  return static_cast<uint32_t>(std::min(kLeast + kPerByte * std::min(text_bytes, kMost), kMost));
}
constexpr size_t kLongestPattern = size_t{1} << 16;
constexpr uint32_t kDeepestPattern = 100;

PCRE2_SPTR subject_of(std::string_view text) {
  return reinterpret_cast<PCRE2_SPTR>(text.data());  // PCRE2 takes unsigned chars
}

std::string message_of(int error) {
  std::array<PCRE2_UCHAR, 200> text{};
  pcre2_get_error_message(error, text.data(), text.size());
  return reinterpret_cast<const char*>(text.data());
}

}  // namespace

// PCRE2 leaves compiled code unchanged while matching, so that it is shared.
struct Regex::Code {
  std::unique_ptr<pcre2_code, FreePcre2> most;  ///< for texts without characters that are newer than PCRE2's tables
  std::unique_ptr<pcre2_code, FreePcre2> all;   ///< for any; null: the same
};

namespace {

std::unique_ptr<pcre2_code, FreePcre2> compile(std::string_view pattern, std::string_view original,
                                               std::string_view place) {
  const std::unique_ptr<pcre2_compile_context, FreePcre2> context(pcre2_compile_context_create(nullptr));
  if (!context) throw Error(ErrorCode::memory, "no memory to compile a pattern");
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(context.get(), kDeepestPattern);
  int error = 0;
  size_t offset = 0;
  std::unique_ptr<pcre2_code, FreePcre2> code(
      pcre2_compile(subject_of(pattern), pattern.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error, &offset, context.get()));
  if (!code) {
    throw Error(ErrorCode::unsupported, fmt::format("{}: expected a pattern that can be compiled, found {}: {}", place,
                                                    quote(original), message_of(error)));
  }
  pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // where it can't, the interpreter does the same more slowly
  return code;
}

}  // namespace

Regex::Regex(std::string_view pattern, std::string_view place) : code_(std::make_unique<Code>()) {
  if (pattern.size() > kLongestPattern) {
    throw Error(ErrorCode::unsupported, fmt::format("{}: expected a pattern of at most {} bytes, found {}", place,
                                                    kLongestPattern, pattern.size()));
  }
  const std::string most = pcre2_pattern(pattern, place, RegexTexts::most);
  const std::string all = pcre2_pattern(pattern, place, RegexTexts::all);
  code_->most = compile(most, pattern, place);
  if (all != most) code_->all = compile(all, pattern, place);
}

Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Regex::Search::Search(const Regex& regex, std::string_view text)
    : regex_(regex), text_(text), newer_(regex.code_->all && has_newer_points(text)) {}

std::optional<Regex::Match> Regex::Search::find() const {
  // What a match leaves in it is read at once, so that one serves all searches of a thread.
  static thread_local const std::unique_ptr<pcre2_match_data, FreePcre2> kData(pcre2_match_data_create(1, nullptr));
  static thread_local const std::unique_ptr<pcre2_match_context, FreePcre2> kContext(
      pcre2_match_context_create(nullptr));
  if (!kData || !kContext) throw Error(ErrorCode::memory, "no memory to match a pattern");
  pcre2_set_match_limit(kContext.get(), match_limit(text_.size()));
  const pcre2_code* const code = newer_ ? regex_.code_->all.get() : regex_.code_->most.get();
  const auto run = [&](uint32_t options) {
    return pcre2_match(code, subject_of(text_), text_.size(), from_, PCRE2_NO_UTF_CHECK | options, kData.get(),
                       kContext.get());
  };
  int result = run(0);
  if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
  if (result == PCRE2_ERROR_NOMATCH) return std::nullopt;
  if (result >= 0) {
    const size_t* const range = pcre2_get_ovector_pointer(kData.get());
    return Match{.begin = range[0], .end = range[1]};
  }
  throw Error(ErrorCode::input,
              fmt::format("text at byte {}: a word too long to split (PCRE2 error {})", from_, result));
}

std::optional<Regex::Match> Regex::Search::next() {
  while (from_ <= text_.size()) {
    const auto match = find();
    if (!match || match->begin > match->end || match->begin < from_) break;  // \K in a lookaround can turn them around
    if (match->begin != match->end || last_end_ != match->end) {
      from_ = match->end;
      last_end_ = match->end;
      return match;
    }
    from_ += from_ < text_.size() ? utf8_step(text_.substr(from_)).length : 1;
  }
  from_ = text_.size() + 1;
  return std::nullopt;
}

}  // namespace kvzip
