// BLEU of one sentence against one reference (Papineni et al. 2002). Pure functions.
#pragma once

#include <string_view>

namespace kvzip {

/// exp of the mean of log p_n for n = 1..4, times exp(1 - r/c) where the candidate's c words are fewer than the
/// reference's r; p_n is the share of the candidate's runs of n words that the reference has too, each as often as
/// there. Where none of them is there, log(c) / (5 * 2^k) of them count, for the k-th such n (smoothing method 4 of
/// Chen and Cherry 2014); a single word isn't smoothed. Words are what stands between white space, and a blank text is
/// one empty word.
double sentence_bleu(std::string_view candidate, std::string_view reference);

}  // namespace kvzip
