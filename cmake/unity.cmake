# Files of one folder are compiled some together, so that the headers that most of them include (CLI11, nlohmann-json, fmt) are
# compiled once for all of them: the program takes half of the time to build. A file's group depends on its name only, so that
# a new file mostly changes one of them. -DKVZIP_UNITY=OFF compiles every file by itself.
option(KVZIP_UNITY "Compile files of a folder together" ON)
set(KVZIP_UNITY_SIZE 8)  # files of a group, about

# kvzip_unity(TARGET FOLDER...): folders below kvzip/. Two files of one folder must not use one name for two things, not even in
# unnamed namespaces; files with compile options of their own stay by themselves.
function(kvzip_unity target)
  if(NOT KVZIP_UNITY)
    return()
  endif()
  set_target_properties(${target} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  get_target_property(sources ${target} SOURCES)
  foreach(folder ${ARGN})
    set(files ${sources})
    list(FILTER files INCLUDE REGEX "/kvzip/${folder}/[^/]+\\.cpp$")
    list(LENGTH files count)
    math(EXPR groups "(${count} + ${KVZIP_UNITY_SIZE} - 1) / ${KVZIP_UNITY_SIZE}")
    string(REPLACE "/" "_" name ${folder})
    foreach(file ${files})
      get_filename_component(stem ${file} NAME_WE)
      string(MD5 digest ${stem})
      string(SUBSTRING ${digest} 0 4 digits)
      math(EXPR group "0x${digits} % ${groups}")
      set_source_files_properties(${file} PROPERTIES UNITY_GROUP "${name}_${group}")
    endforeach()
  endforeach()
endfunction()
