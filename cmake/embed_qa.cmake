# Writes kvzip_qa_documents.cpp: the documents of data/qa as constants, so that the program needs no files beside it.
file(GLOB KVZIP_QA_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/data/qa/*.json)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${KVZIP_QA_FILES})
set(KVZIP_QA_ROWS "")
foreach(file ${KVZIP_QA_FILES})
  get_filename_component(name ${file} NAME)
  file(READ ${file} text)
  string(APPEND KVZIP_QA_ROWS "    {\"${name}\", R\"qa(${text})qa\"},\n")
endforeach()
set(KVZIP_QA_SOURCE ${CMAKE_BINARY_DIR}/kvzip_qa_documents.cpp)
file(CONFIGURE OUTPUT ${KVZIP_QA_SOURCE} @ONLY CONTENT
"#include <array>

#include \"kvzip/eval/qa_documents.h\"

namespace kvzip {
namespace {
constexpr auto kDocuments = std::to_array<ShippedDocument>({
@KVZIP_QA_ROWS@});
}  // namespace
std::span<const ShippedDocument> shipped_documents() { return kDocuments; }
}  // namespace kvzip
")
