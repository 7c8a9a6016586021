# Writes kvzip_page_sources.cpp: each page of kvzip/view (page.html with page.css and page.js put in) as a constant, so that
# the program needs no files beside it.
set(KVZIP_PAGE_FOLDER ${CMAKE_SOURCE_DIR}/kvzip/view)
foreach(part html css js)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${KVZIP_PAGE_FOLDER}/page.${part})
  file(READ ${KVZIP_PAGE_FOLDER}/page.${part} KVZIP_PAGE_${part})
endforeach()
string(REPLACE "/* page.css */" "${KVZIP_PAGE_css}" KVZIP_VIEW_PAGE "${KVZIP_PAGE_html}")
string(REPLACE "/* page.js */" "${KVZIP_PAGE_js}" KVZIP_VIEW_PAGE "${KVZIP_VIEW_PAGE}")
set(KVZIP_PAGE_SOURCE ${CMAKE_BINARY_DIR}/kvzip_page_sources.cpp)
file(CONFIGURE OUTPUT ${KVZIP_PAGE_SOURCE} @ONLY CONTENT
"#include \"kvzip/view/page_sources.h\"

namespace kvzip {
std::string_view view_page_source() { return R\"page(@KVZIP_VIEW_PAGE@)page\"; }
}  // namespace kvzip
")
