# Arrow C++ for Parquet files, out of the Python package pyarrow where it is there: kvzip_use_parquet(TARGET) and
# KVZIP_HAS_PARQUET.
option(KVZIP_PARQUET "Read Parquet files, where the Python package pyarrow is found" ON)
file(GLOB KVZIP_PYARROW ${CMAKE_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/pyarrow)
file(GLOB KVZIP_ARROW_LIBRARIES ${KVZIP_PYARROW}/libarrow.so.[0-9]* ${KVZIP_PYARROW}/libparquet.so.[0-9]*)
list(LENGTH KVZIP_ARROW_LIBRARIES count)
set(KVZIP_HAS_PARQUET OFF)
if(KVZIP_PARQUET AND count EQUAL 2 AND EXISTS ${KVZIP_PYARROW}/include/parquet/arrow/reader.h)
  set(KVZIP_HAS_PARQUET ON)
endif()

function(kvzip_use_parquet target)
  # As a system library: its headers have warnings of their own. Only the files that need it see it.
  set_source_files_properties(kvzip/eval/parquet.cpp PROPERTIES COMPILE_OPTIONS "-isystem;${KVZIP_PYARROW}/include")
  target_link_libraries(${target} PRIVATE ${KVZIP_ARROW_LIBRARIES})
endfunction()
