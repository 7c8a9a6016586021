# Parsers of programs: tree-sitter, and its grammars out of the Python package tree-sitter-languages, where both are there:
# kvzip_use_tree_sitter(TARGET) and KVZIP_HAS_TREE_SITTER.
option(KVZIP_TREE_SITTER "Compare programs, where tree-sitter and the Python package tree-sitter-languages are found" ON)
include(CheckIncludeFileCXX)
check_include_file_cxx(tree_sitter/api.h KVZIP_TREE_SITTER_HEADER)
find_library(KVZIP_TREE_SITTER_LIBRARY tree-sitter)
file(GLOB KVZIP_GRAMMARS ${CMAKE_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/tree_sitter_languages/languages.so)
set(KVZIP_HAS_TREE_SITTER OFF)
if(KVZIP_TREE_SITTER AND KVZIP_TREE_SITTER_HEADER AND KVZIP_TREE_SITTER_LIBRARY AND KVZIP_GRAMMARS)
  set(KVZIP_HAS_TREE_SITTER ON)
endif()

function(kvzip_use_tree_sitter target)
  # The grammars are 80 MB, so they are opened when a program is first parsed. The path goes to one file only: in every
  # command line it would keep ccache from serving two clones.
  set_source_files_properties(kvzip/eval/source_code.cpp PROPERTIES
    COMPILE_DEFINITIONS KVZIP_GRAMMARS="${KVZIP_GRAMMARS}")
  target_link_libraries(${target} PRIVATE ${KVZIP_TREE_SITTER_LIBRARY} ${CMAKE_DL_LIBS})
endfunction()
