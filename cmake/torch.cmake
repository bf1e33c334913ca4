# libtorch for the trainer, by TW_TORCH; sets TW_HAVE_TORCH and the target tw_libtorch.
set(TW_TORCH AUTO CACHE STRING
  "Models on libtorch: AUTO, ON or OFF (Debian's libtorch-dev, or a pip torch by CMAKE_PREFIX_PATH)")
set(TW_HAVE_TORCH OFF)
if(TW_TORCH)
  # A torch with CUDA switches that language on and tries the compiler: in a dialect that CMake 3.25.1 does not know of
  # nvcc 13, and by running a program on a GPU, unless told otherwise.
  if(CMAKE_VERSION VERSION_LESS 3.25.2)
    set(CMAKE_CUDA_STANDARD 17)  # here only: the trainer compiles no CUDA
  endif()
  if(NOT DEFINED TORCH_CUDA_ARCH_LIST AND NOT DEFINED ENV{TORCH_CUDA_ARCH_LIST})
    set(TORCH_CUDA_ARCH_LIST 9.0)
  endif()
  if(TW_TORCH STREQUAL "AUTO")
    find_package(Torch QUIET)
  else()
    find_package(Torch REQUIRED)
  endif()
  if(Torch_FOUND OR TORCH_FOUND)
    set(TW_HAVE_TORCH ON)
  endif()
endif()
if(TW_HAVE_TORCH)
  add_library(tw_libtorch INTERFACE)
  target_include_directories(tw_libtorch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(tw_libtorch INTERFACE ${CMAKE_DL_LIBS} ${TORCH_LIBRARIES})
  separate_arguments(tw_torch_flags NATIVE_COMMAND "${TORCH_CXX_FLAGS}")
  target_compile_options(tw_libtorch INTERFACE ${tw_torch_flags})
  # A wheel's torch needs the wheel's NCCL, which lies beside it; an older one of the CUDA toolkit lacks symbols.
  set(tw_wheel_nccl ${TORCH_INSTALL_PREFIX}/../nvidia/nccl/lib)
  if(EXISTS ${tw_wheel_nccl})
    target_link_options(tw_libtorch INTERFACE LINKER:-rpath-link,${tw_wheel_nccl})
  endif()
endif()
