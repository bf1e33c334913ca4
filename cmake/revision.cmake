# Writes OUTPUT, a header with git's name of the commit that SOURCE is at; touches it only when that changed.
#   cmake -DSOURCE=... -DOUTPUT=... -P revision.cmake
set(revision unknown)
execute_process(COMMAND git -C "${SOURCE}" rev-parse --show-toplevel
                OUTPUT_VARIABLE top OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
get_filename_component(source "${SOURCE}" REALPATH)
if(NOT failed AND top STREQUAL source)  # not some other project's repository around an unpacked archive
  execute_process(COMMAND git -C "${SOURCE}" describe --always --dirty --abbrev=12 --exclude=*
                  OUTPUT_VARIABLE described OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE failed)
  if(NOT failed)
    set(revision ${described})
  endif()
endif()
set(text "#define TW_BUILD_REVISION \"${revision}\"\n")
if(EXISTS "${OUTPUT}")
  file(READ "${OUTPUT}" old)
endif()
if(NOT text STREQUAL "${old}")
  file(WRITE "${OUTPUT}" "${text}")
endif()
