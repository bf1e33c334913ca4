# How everything of ours is compiled. No contraction, no flushing of denormals, correctly rounded division and root are
# part of the wire format (compress/FORMAT.md): anything else would change bytes.
add_library(tw_options INTERFACE)
set(warnings -Wall -Wextra -Wconversion)
list(JOIN warnings , host_warnings)
target_compile_definitions(tw_options INTERFACE TW_HAVE_CUDA=$<BOOL:${TW_HAVE_CUDA}>)
target_compile_options(tw_options INTERFACE
  "$<$<COMPILE_LANGUAGE:CXX>:${warnings};-Wpedantic;-ffp-contract=off>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${host_warnings},-ffp-contract=off;--expt-relaxed-constexpr>"
  "$<$<COMPILE_LANGUAGE:CUDA>:--fmad=false;-ftz=false;-prec-div=true;-prec-sqrt=true>"
  "$<$<COMPILE_LANGUAGE:CUDA>:-lineinfo;--no-compress>")  # findings name source lines; PTX that tests/ptxrun can read
if(TW_SANITIZE)
  string(REPLACE "," ",-fsanitize=" host_sanitize "${TW_SANITIZE}")  # -Xcompiler splits at commas
  target_compile_options(tw_options INTERFACE
    "$<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TW_SANITIZE};-fno-omit-frame-pointer;-fno-sanitize-recover=all>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fsanitize=${host_sanitize},-fno-omit-frame-pointer>"
    "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-fno-sanitize-recover=all>")
  target_link_options(tw_options INTERFACE -fsanitize=${TW_SANITIZE})
endif()
