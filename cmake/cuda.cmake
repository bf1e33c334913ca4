# Option TW_CUDA. Sets TW_HAVE_CUDA (ON or OFF) and TW_CUDA_SUMMARY (where, or why not), and enables the language.
#
# What is built: CMAKE_CUDA_ARCHITECTURES, 90 (machine code and PTX) unless given; "80-real;90-real;100" is what releases
# use. CMAKE_CUDA_RUNTIME_LIBRARY: unless given, Static for users and Shared with tests, where tests/ptxrun stands in for it.
set(TW_CUDA AUTO CACHE STRING "Kernels for NVIDIA GPUs: AUTO (where nvcc is found), ON or OFF")
set_property(CACHE TW_CUDA PROPERTY STRINGS AUTO ON OFF)

set(TW_HAVE_CUDA OFF)
set(TW_CUDA_SUMMARY "off: TW_CUDA=OFF")
if(NOT TW_CUDA STREQUAL "OFF")
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(TW_NVCC nvcc HINTS ENV CUDA_HOME ENV CUDA_PATH PATHS /usr/local/cuda PATH_SUFFIXES bin)
    if(TW_NVCC)
      set(ENV{CUDACXX} ${TW_NVCC})
    endif()
  endif()
  # Before the first look at the compiler: CMake's own default is older than what the kernels need, and `native` fails
  # where there is no GPU.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 90)
  endif()
  include(CheckLanguage)
  check_language(CUDA)
  if(CMAKE_CUDA_COMPILER)
    set(TW_HAVE_CUDA ON)
  elseif(TW_CUDA STREQUAL "ON")
    message(FATAL_ERROR "TW_CUDA=ON, but CMake finds no working nvcc. Install the CUDA toolkit (13 or later), or set "
                        "CMAKE_CUDA_COMPILER to its nvcc.")
  else()
    set(TW_CUDA_SUMMARY "off: no working nvcc found; install the CUDA toolkit or set CMAKE_CUDA_COMPILER")
  endif()
endif()
if(NOT TW_HAVE_CUDA)
  return()
endif()

if(NOT DEFINED CMAKE_CUDA_RUNTIME_LIBRARY)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  if(TW_BUILD_TESTS)
    set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
  endif()
endif()
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
set(TW_CUDA_SUMMARY "on: ${CMAKE_CUDA_COMPILER} ${CMAKE_CUDA_COMPILER_VERSION}, architectures \
${CMAKE_CUDA_ARCHITECTURES}, ${CMAKE_CUDA_RUNTIME_LIBRARY} runtime")

# CMake before 3.25.2 knows no flag for C++20 in nvcc 12 and later: asked firmly, it refuses; otherwise it drops the
# request without a word.
set(CMAKE_CUDA_STANDARD 20)
if(CMAKE_VERSION VERSION_LESS 3.25.2)
  set(CMAKE_CUDA_STANDARD_REQUIRED OFF)
  add_compile_options($<$<COMPILE_LANGUAGE:CUDA>:-std=c++20>)
else()
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
endif()
