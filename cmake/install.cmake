# What `cmake --install` lays out: the public headers, the library, find_package(tightwire) and pkg-config.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tightwire)

install(TARGETS tightwire EXPORT tightwire-targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY include/tightwire ${PROJECT_BINARY_DIR}/include/tightwire DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
        FILES_MATCHING PATTERN "*.hpp")
install(EXPORT tightwire-targets NAMESPACE tightwire:: DESTINATION ${package_dir})

# What a static tightwire needs beside it, by CMake package and by pkg-config module.
set(TW_PACKAGES Threads)
set(TW_MODULES "")
get_target_property(linked tightwire LINK_LIBRARIES)
foreach(dependency "hwy::hwy hwy libhwy" "ucx::ucp ucx ucx")
  separate_arguments(dependency)
  list(GET dependency 0 target)
  if("${linked}" MATCHES "${target}")  # from a subdirectory, names carry a suffix
    list(GET dependency 1 package)
    list(GET dependency 2 module)
    list(APPEND TW_PACKAGES ${package})
    list(APPEND TW_MODULES ${module})
  endif()
endforeach()
list(JOIN TW_MODULES ", " TW_MODULES)

configure_package_config_file(cmake/tightwire-config.cmake.in ${PROJECT_BINARY_DIR}/tightwire-config.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/tightwire-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/tightwire-config.cmake ${PROJECT_BINARY_DIR}/tightwire-config-version.cmake
        DESTINATION ${package_dir})

file(RELATIVE_PATH TW_PREFIX_FROM_PC /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/tightwire.pc.in ${PROJECT_BINARY_DIR}/tightwire.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/tightwire.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
