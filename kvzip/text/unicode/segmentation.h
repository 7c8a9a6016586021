// The classic ways of cutting text, by the rules of Unicode (UAX 29) for no language in particular. Text of any size is
// cut window by window, so memory stays bounded. Bytes that are no UTF-8 count as U+FFFD. Stateless; safe from any
// number of threads.
#pragma once

#include <functional>
#include <string_view>

namespace kvzip {

using VisitSegment = std::function<void(std::string_view segment)>;

/// Calls visit(segment) for each segment of `text`, in order; together they are the text. A segment of more than
/// 16 MiB may be cut every 8 MiB. All throw Error{unsupported} where ICU's data are missing.

/// What a reader takes for one character: letters with their marks, flags, families of emoji (grapheme clusters).
void characters(std::string_view text, const VisitSegment& visit);
/// Words, and what lies between them: each mark of punctuation, each run of spaces.
void words(std::string_view text, const VisitSegment& visit);
/// Sentences, with the spaces behind them.
void sentences(std::string_view text, const VisitSegment& visit);

/// Runs of characters other than white space, without what lies between them.
void whitespace_pieces(std::string_view text, const VisitSegment& visit);
/// Whether `text` is nothing but white space.
bool is_blank(std::string_view text);

}  // namespace kvzip
