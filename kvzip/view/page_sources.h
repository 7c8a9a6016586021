// The pages without their data, as the build has put them together from *.html, *.css and *.js of this folder
// (cmake/embed_pages.cmake), and the way the data gets into them. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

namespace kvzip {

/// What stands in a page where its data goes.
inline constexpr std::string_view kPageDataMark = "<!-- data -->";

/// Of `kvzip view`. Holds kPageDataMark once, as all of them.
std::string_view view_page_source();
/// Of `kvzip view --answers`.
std::string_view answers_page_source();
/// Of `kvzip attention`.
std::string_view attention_page_source();

/// JSON that may stand inside a <script> element: no `<`, `>` or `&` in it, and U+FFFD for what is no UTF-8.
std::string page_json(const nlohmann::ordered_json& data);
/// `source` with `json`, made by page_json(), in its place.
std::string page_with(std::string_view source, std::string_view json);

}  // namespace kvzip
