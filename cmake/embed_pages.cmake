# Writes kvzip_page_sources.cpp: each page of kvzip/view, NAME.html with the style sheets and scripts put in where a comment
# names them, as a constant, so that the program needs no files beside it.
file(GLOB KVZIP_PAGE_PARTS CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/kvzip/view/*.css ${CMAKE_SOURCE_DIR}/kvzip/view/*.js)
foreach(page page answers attention)
  set(file ${CMAKE_SOURCE_DIR}/kvzip/view/${page}.html)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file} ${KVZIP_PAGE_PARTS})
  file(READ ${file} source)
  foreach(part ${KVZIP_PAGE_PARTS})
    get_filename_component(name ${part} NAME)
    file(READ ${part} text)
    string(REPLACE "/* ${name} */" "${text}" source "${source}")
  endforeach()
  set(KVZIP_SOURCE_OF_${page} "${source}")
endforeach()
set(KVZIP_PAGE_SOURCE ${CMAKE_BINARY_DIR}/kvzip_page_sources.cpp)
file(CONFIGURE OUTPUT ${KVZIP_PAGE_SOURCE} @ONLY CONTENT
"#include \"kvzip/view/page_sources.h\"

namespace kvzip {
std::string_view view_page_source() { return R\"page(@KVZIP_SOURCE_OF_page@)page\"; }
std::string_view attention_page_source() { return R\"page(@KVZIP_SOURCE_OF_attention@)page\"; }
std::string_view answers_page_source() { return R\"page(@KVZIP_SOURCE_OF_answers@)page\"; }
}  // namespace kvzip
")
