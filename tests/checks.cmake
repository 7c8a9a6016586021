# The checks of the repository itself, as tests of ctest: label `check`. Included by tests/CMakeLists.txt after all test
# programs are declared.

# Test programs that also run under sanitizers (scripts/check_sanitized): all that read untrusted bytes, and the golden tests.
set(KVZIP_SANITIZED base_test tensor_test text_unicode_test text_test text_pipeline_test text_formats_test
  text_train_test cache_test model_test store_test gguf_corruption_test tokenizer_golden_test golden_test
  model_corruption_test)
if(KVZIP_SANITIZE)
  add_custom_target(sanitized_tests)
  set(programs "")
  foreach(program ${KVZIP_SANITIZED})
    if(TARGET ${program})
      add_dependencies(sanitized_tests ${program})
      string(APPEND programs "${program}\n")
    endif()
  endforeach()
  file(WRITE ${CMAKE_BINARY_DIR}/sanitized_tests.txt "${programs}")
  return()
endif()

function(kvzip_check name seconds)
  add_test(NAME check.${name} COMMAND ${ARGN} WORKING_DIRECTORY ${CMAKE_SOURCE_DIR})
  set_tests_properties(check.${name} PROPERTIES LABELS check TIMEOUT ${seconds})
endfunction()

set(scripts ${CMAKE_SOURCE_DIR}/scripts)
kvzip_check(format 120 ${scripts}/check_format)
kvzip_check(text 60 ${scripts}/check_text)
kvzip_check(layers 60 ${scripts}/check_layers)
kvzip_check(checkers 60 ${CMAKE_SOURCE_DIR}/tests/checkers_test.py)
kvzip_check(quality_tables 60 ${CMAKE_SOURCE_DIR}/tests/quality_tables_test.py)
kvzip_check(tidy 3000 ${scripts}/check_tidy ${CMAKE_BINARY_DIR})
kvzip_check(sanitized 3000 ${scripts}/check_sanitized)
kvzip_check(fuzz 900 ${scripts}/fuzz --seconds 20)
# All use every core; started first, so that no other test waits for them at the end.
set_tests_properties(check.tidy check.sanitized check.fuzz PROPERTIES PROCESSORS 2 COST 1000)
