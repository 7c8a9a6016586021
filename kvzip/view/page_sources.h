// The pages without their data, as the build has put them together from *.html, *.css and *.js of this folder
// (cmake/embed_pages.cmake).
#pragma once

#include <string_view>

namespace kvzip {

/// What stands in a page where its data goes.
inline constexpr std::string_view kPageDataMark = "<!-- data -->";

/// Of `kvzip view`. Holds kPageDataMark once.
std::string_view view_page_source();

}  // namespace kvzip
