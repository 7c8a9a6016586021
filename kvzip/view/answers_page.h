// Pages that show answers from two memories side by side: one HTML file with everything in it. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace kvzip {

/// A token of an answer, and what both memories thought would stand in its place.
struct ViewedToken {
  std::string text;
  float p_full = 0;  ///< its probability, given the question and the tokens before it
  float p_kept = 0;
  std::string top_full;  ///< the likeliest token
  std::string top_kept;
};

/// Everything in it may come from strangers: nothing can become part of the page's markup.
struct ViewedQuestion {
  std::string question;
  std::vector<ViewedToken> full;  ///< the answer from the full memory
  std::vector<ViewedToken> kept;  ///< the answer from what is kept
};

struct ViewedAnswers {
  std::string name;  ///< of the document
  std::string model;
  size_t document_tokens = 0;
  double full_ratio = 1;  ///< of the pairs: less than 1 for a context file that was cut before
  double kept_ratio = 0;
  size_t bytes_full = 0;  ///< of keys and values
  size_t bytes_kept = 0;
  std::vector<ViewedQuestion> questions;
};

/// The page, in UTF-8. It needs no network and opens from a file.
std::string answers_page(const ViewedAnswers& answers);

}  // namespace kvzip
