# `cmake --install`: libraries, headers, programs, and the package for find_package(hanok).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(rooms hanok_flags hanok_cuda_none hanok_kernels hanok_engine hanok_nn hanok_data hanok_weights hanok_training)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hanok)

foreach(room IN LISTS rooms)
  if(TARGET ${room})
    install(TARGETS ${room} EXPORT hanok_targets ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endforeach()
foreach(app finetune predict convert evaluate inspect)
  if(TARGET ${app})
    install(TARGETS ${app} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    # The program generates its manual page and completion from the options that --help lists.
    install(CODE "
      set(prefix \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}\")
      set(man \"\${prefix}/${CMAKE_INSTALL_MANDIR}/man1\")
      set(bash \"\${prefix}/${CMAKE_INSTALL_DATADIR}/bash-completion/completions\")
      file(MAKE_DIRECTORY \"\${man}\" \"\${bash}\")
      execute_process(COMMAND $<TARGET_FILE:${app}> --man
                      OUTPUT_FILE \"\${man}/${app}.1\" COMMAND_ERROR_IS_FATAL ANY)
      execute_process(COMMAND $<TARGET_FILE:${app}> --completion bash
                      OUTPUT_FILE \"\${bash}/${app}\" COMMAND_ERROR_IS_FATAL ANY)")
  endif()
endforeach()

# kernels/cpu/isa is compiled into the library once per instruction-set path and is not an interface.
install(DIRECTORY kernels engine nn data weights DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanok
        FILES_MATCHING PATTERN "*.h" PATTERN "isa" EXCLUDE)
install(DIRECTORY apps/cli apps/run apps/options apps/profiling apps/training apps/prediction
                  apps/preflight apps/experiment apps/inspection apps/conversion
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanok/apps
        FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE THIRD_PARTY.md docs/augment.toml DESTINATION ${CMAKE_INSTALL_DOCDIR})

install(EXPORT hanok_targets NAMESPACE hanok:: FILE hanokTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(cmake/hanokConfig.cmake.in ${CMAKE_BINARY_DIR}/hanokConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/hanokConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/hanokConfig.cmake ${CMAKE_BINARY_DIR}/hanokConfigVersion.cmake
        DESTINATION ${package_dir})
