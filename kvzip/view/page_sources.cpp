#include "kvzip/view/page_sources.h"

#include <nlohmann/json.hpp>

#include "kvzip/base/check.h"

namespace kvzip {

std::string page_json(const nlohmann::ordered_json& data) {
  // JSON has these characters inside its strings only, where they may as well be escaped: then nothing in the data can
  // end the element that it stands in, or begin a comment.
  std::string safe;
  for (const char character : data.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)) {
    switch (character) {
      case '<':
        safe += "\\u003c";
        break;
      case '>':
        safe += "\\u003e";
        break;
      case '&':
        safe += "\\u0026";
        break;
      default:
        safe += character;
    }
  }
  return safe;
}

std::string page_with(std::string_view source, std::string_view json) {
  const size_t mark = source.find(kPageDataMark);
  check(mark != std::string_view::npos, "the page has a place for its data");
  std::string page(source.substr(0, mark));
  page += json;
  page += source.substr(mark + kPageDataMark.size());
  return page;
}

}  // namespace kvzip
