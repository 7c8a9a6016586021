// Classes of code points as the package `tokenizers` 0.23.3 knows them. Its parts follow different versions of Unicode;
// each is named here with the version that was found by comparing all code points. Stateless; safe from any number of
// threads.
#pragma once

#include <cstdint>
#include <string>

namespace kvzip {

/// White_Space; the same in all versions.
bool is_white_space(uint32_t point);
/// General category N (Unicode 17).
bool is_numeric(uint32_t point);
/// What \w matches outside tokenizer files' own patterns: alphabetic, marks, decimal numbers, connectors, joiners
/// (Unicode 16).
bool is_word(uint32_t point);
/// General category P (Unicode 8), and all of ASCII's symbols.
bool is_punctuation(uint32_t point);
/// General category Mn (Unicode 8).
bool is_nonspacing_mark(uint32_t point);
/// General categories Cc, Cf and Co (Unicode 8).
bool is_control(uint32_t point);
/// General category M (Unicode 9).
bool is_combining_mark(uint32_t point);
/// The blocks that BERT takes for Chinese.
bool is_chinese(uint32_t point);

/// A number for the script of a character (Unicode 9), for comparison only; -1: none. Hiragana and Katakana count as
/// Han, and a space has no script.
int script_number(uint32_t point);

/// Appends the lower case of one character, regardless of its neighbours (Unicode 17).
void append_lower_case(uint32_t point, std::string& out);

}  // namespace kvzip
