# NVIDIA GPUs: sets KVZIP_HAS_CUDA where nvcc is found, and gives a target what kvzip/backend/cuda needs. The program starts on
# machines without any of it: CUDA's runtime is linked statically, cuBLASLt and cuDNN are loaded when a GPU is asked for.
set(KVZIP_HAS_CUDA OFF)
if(NOT KVZIP_CUDA OR KVZIP_SANITIZE)  # the sanitizers' memory layout and CUDA's exclude each other
  return()
endif()

include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  message(STATUS "nvcc not found: building without CUDA")
  return()
endif()
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  # Machine code for Ampere and its like and for Hopper; all later GPUs compile the first one's PTX when it is loaded.
  set(CMAKE_CUDA_ARCHITECTURES "80;90a-real" CACHE STRING "CUDA architectures")
endif()
enable_language(CUDA)
if(NOT CMAKE_CUDA20_STANDARD_COMPILE_OPTION)  # CMake 3.25 doesn't know that this nvcc does
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION "-std=c++20")
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION "-std=c++20")
  list(APPEND CMAKE_CUDA_COMPILE_FEATURES cuda_std_20)
endif()
set(CMAKE_CUDA_STANDARD 20)
find_package(CUDAToolkit REQUIRED)
set(KVZIP_HAS_CUDA ON)

# Headers of cudnn-frontend, from PyPI through scripts/setup.
file(GLOB KVZIP_CUDNN_FRONTEND ${CMAKE_SOURCE_DIR}/.deps/cudnn_frontend/include)
find_path(KVZIP_CUDNN_FRONTEND_INCLUDE cudnn_frontend.h HINTS ${KVZIP_CUDNN_FRONTEND})
if(NOT KVZIP_CUDNN_FRONTEND_INCLUDE)
  message(FATAL_ERROR "cudnn_frontend.h not found: run scripts/setup, or build without CUDA (-DKVZIP_CUDA=OFF)")
endif()

# NCCL's header, for several GPUs: CUDA's folder may have it, PyPI's nvidia-nccl-cu13 does. The library is loaded at run time.
file(GLOB KVZIP_PYPI_NCCL ${CMAKE_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/nvidia/nccl/include)
find_path(KVZIP_NCCL_INCLUDE nccl.h HINTS ${CUDAToolkit_INCLUDE_DIRS} ${KVZIP_PYPI_NCCL})
if(NOT KVZIP_NCCL_INCLUDE)
  message(STATUS "nccl.h not found: building for one GPU at a time")
endif()

function(kvzip_use_cuda target)
  # For these files only: the command lines of all others are the same with and without CUDA, and so is what they become.
  get_target_property(sources ${target} SOURCES)
  list(FILTER sources INCLUDE REGEX "/backend/cuda/[^/]*\\.cpp$")
  foreach(folder ${CUDAToolkit_INCLUDE_DIRS} ${KVZIP_CUDNN_FRONTEND_INCLUDE} ${KVZIP_NCCL_INCLUDE})
    set_property(SOURCE ${sources} APPEND PROPERTY COMPILE_OPTIONS -isystem ${folder})
  endforeach()
  target_link_libraries(${target} PRIVATE $<LINK_ONLY:CUDA::cudart_static> ${CMAKE_DL_LIBS})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra>)
  # cuDNN is looked up at run time; its header-only front end takes minutes to optimise, for a handful of calls per layer.
  set_source_files_properties(kvzip/backend/cuda/attend_dense.cpp PROPERTIES COMPILE_DEFINITIONS
    "NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING;NV_CUDNN_FRONTEND_SKIP_JSON_LIB")
  set_property(SOURCE ${CMAKE_SOURCE_DIR}/kvzip/backend/cuda/attend_dense.cpp APPEND PROPERTY COMPILE_OPTIONS -O0)
  if(KVZIP_WERROR)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
endfunction()
