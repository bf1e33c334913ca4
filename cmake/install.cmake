# What `cmake --install` lays out: the public headers, the library, find_package(tightwire) and pkg-config.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tightwire)

install(TARGETS tightwire EXPORT tightwire-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tightwire ${PROJECT_BINARY_DIR}/include/tightwire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT tightwire-targets NAMESPACE tightwire:: DESTINATION ${package_dir})

# What a static tightwire needs beside it, by CMake package and by pkg-config module; CUDA has no module.
set(TW_PACKAGES Threads)
set(TW_MODULES "")
set(TW_LIBS "")
get_target_property(linked tightwire LINK_LIBRARIES)
foreach(dependency "hwy::hwy hwy libhwy" "ucx::ucp ucx ucx" "CUDA::cudart CUDAToolkit")
  separate_arguments(dependency)
  list(POP_FRONT dependency target package)
  if("${linked}" MATCHES "${target}")  # from a subdirectory, names carry a suffix
    list(APPEND TW_PACKAGES ${package})
    list(APPEND TW_MODULES ${dependency})
  endif()
endforeach()
list(JOIN TW_MODULES ", " TW_MODULES)
if(TW_HAVE_CUDA)
  set(TW_LIBS "-L${CUDAToolkit_LIBRARY_DIR} -lcudart")
  if(CMAKE_CUDA_RUNTIME_LIBRARY STREQUAL "Static")
    string(APPEND TW_LIBS "_static -ldl -lrt")
  elseif(TW_HAVE_NCCL)
    string(APPEND TW_LIBS " -ldl")
  endif()
endif()

configure_package_config_file(cmake/tightwire-config.cmake.in ${PROJECT_BINARY_DIR}/tightwire-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tightwire-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tightwire-config.cmake ${PROJECT_BINARY_DIR}/tightwire-config-version.cmake
        DESTINATION ${package_dir})

file(RELATIVE_PATH TW_PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/tightwire.pc.in ${PROJECT_BINARY_DIR}/tightwire.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tightwire.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
