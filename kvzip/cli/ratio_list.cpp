#include "kvzip/cli/ratio_list.h"

#include <fmt/format.h>

#include <algorithm>

#include "kvzip/base/error.h"
#include "kvzip/base/parse_number.h"
#include "kvzip/base/quote.h"

namespace kvzip::cli {

std::vector<double> parse_ratios(std::string_view text) {
  std::vector<double> ratios;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const double ratio = parse_number<double>(text.substr(begin, end - begin)).value_or(0);
    const bool known = std::find(ratios.begin(), ratios.end(), ratio) != ratios.end();
    if (!(ratio > 0 && ratio <= 1) || known) {
      throw Error(ErrorCode::usage,
                  fmt::format("--ratios {}: expected different fractions KEPT above 0 and up to 1, set apart by commas",
                              quote(text)));
    }
    ratios.push_back(ratio);
    begin = end + 1;
  }
  return ratios;
}

}  // namespace kvzip::cli
