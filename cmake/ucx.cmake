# Option TW_UCX. Sets TW_HAVE_UCX.
set(TW_UCX AUTO CACHE STRING "The UCX transport: AUTO (where UCX is found), ON or OFF")
set_property(CACHE TW_UCX PROPERTY STRINGS AUTO ON OFF)

set(TW_HAVE_UCX OFF)
if(NOT TW_UCX STREQUAL "OFF")
  find_package(ucx CONFIG QUIET)
  if(ucx_FOUND)
    set(TW_HAVE_UCX ON)
  elseif(TW_UCX STREQUAL "ON")
    message(FATAL_ERROR "TW_UCX=ON, but CMake finds no UCX. Install its headers (Debian: libucx-dev), or set ucx_DIR to "
                        "the folder of its ucx-config.cmake.")
  endif()
endif()
