# How everything of ours is compiled. -ffp-contract=off is part of the wire format (compress/FORMAT.md): a fused
# multiply-add would change bytes.
add_library(tw_options INTERFACE)
target_compile_options(tw_options INTERFACE -Wall -Wextra -Wpedantic -Wconversion -ffp-contract=off)
if(TW_SANITIZE)
  target_compile_options(tw_options INTERFACE -fsanitize=${TW_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(tw_options INTERFACE -fsanitize=${TW_SANITIZE})
endif()
