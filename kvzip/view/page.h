// Pages that show a document's compression: one HTML file with everything in it. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "kvzip/cache/scores.h"

namespace kvzip {

/// What a page shows. All of it may come from strangers: nothing in it can become part of the page's markup.
struct ViewedDocument {
  std::string name;
  std::string model;
  size_t system_tokens = 0;
  std::vector<std::string> token_texts;  ///< one per document token, as token_texts() makes them
  Scores scores;                         ///< `[layers, kv_heads, len]`, len as many as there are texts
  std::vector<size_t> layers;            ///< the numbers of the scored ones in the model
  size_t bytes_fixed = 0;                ///< of keys and values that are never dropped
  size_t bytes_document = 0;             ///< of the others, at keep ratio 1
  double keep = 0.3;                     ///< where the slider stands at first, at most `most`
  double most = 1;                       ///< the largest ratio that can be kept; pairs that it drops score 0
  bool close_scores = false;             ///< in the right order and close, but not the original ones
};

/// The page, in UTF-8. It needs no network and opens from a file.
std::string view_page(const ViewedDocument& document);

/// The data of that page as JSON that may stand inside a <script> element: no `<`, `>` or `&` in it. With the name of
/// the document and the model, system_tokens, layers, kv_heads, bytes_fixed and bytes_document:
///   texts        one per document token
///   ratios, thresholds   of KeepSteps, and `start`, the index of `keep` among them
///   close_scores         as above
///   first_kept   of KeepSteps, one byte per pair, in base64
///   histogram    {lowest_decade, bins_per_decade, counts [layers * kv_heads][bins]}
std::string view_page_data(const ViewedDocument& document);

}  // namespace kvzip
