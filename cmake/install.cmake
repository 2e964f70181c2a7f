# `cmake --install`: libraries, public headers, programs, documents, the example, and what
# find_package(hanok) and pkg-config find. The target `uninstall` takes away what was installed last.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/hanok)
get_property(rooms GLOBAL PROPERTY hanok_rooms)

# ---- libraries: an export a room, so that a component brings no target of another ----

install(TARGETS hanok_flags EXPORT hanok_kernels)
if(NOT BUILD_SHARED_LIBS)
  install(TARGETS hanok_cuda_none EXPORT hanok_kernels ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
endif()
set(room_facts "")
foreach(room IN LISTS rooms)
  set_target_properties(hanok_${room} PROPERTIES INSTALL_RPATH "$ORIGIN")
  install(TARGETS hanok_${room} EXPORT hanok_${room} DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT hanok_${room} NAMESPACE hanok:: FILE hanok-${room}.cmake
          DESTINATION ${package_dir})
  get_property(packages GLOBAL PROPERTY hanok_${room}_packages)
  string(APPEND room_facts
    "set(hanok_${room}_rooms ${hanok_rooms_below_${room}} ${room})\n"
    "set(hanok_${room}_packages ${packages})\n")
endforeach()
configure_package_config_file(cmake/hanokConfig.cmake.in ${PROJECT_BINARY_DIR}/hanokConfig.cmake
                              INSTALL_DESTINATION ${package_dir} NO_CHECK_REQUIRED_COMPONENTS_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/hanokConfigVersion.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/hanokConfig.cmake ${PROJECT_BINARY_DIR}/hanokConfigVersion.cmake
        DESTINATION ${package_dir})
install(DIRECTORY cmake/modules DESTINATION ${package_dir})

# ---- pkg-config: a file a room, and hanok.pc for those of hanok/hanok.h ----

# From the .pc file's own folder to the prefix, so that the tree may be moved.
set(pc_dir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
file(RELATIVE_PATH to_prefix /${pc_dir} /)
string(REGEX REPLACE "/$" "" to_prefix "${to_prefix}")
function(hanok_pkg_config name description requires libs)
  string(REPLACE ";" " " requires "${requires}")
  configure_file(cmake/hanok.pc.in ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/pkgconfig/${name}.pc DESTINATION ${pc_dir})
endfunction()
foreach(room IN LISTS rooms)
  get_property(needs GLOBAL PROPERTY hanok_${room}_needs)
  get_property(requires GLOBAL PROPERTY hanok_${room}_pc_requires)
  list(FILTER needs INCLUDE REGEX "^hanok::")
  list(TRANSFORM needs REPLACE "hanok::" "hanok-")
  set(libs -lhanok_${room})
  if(room STREQUAL "kernels")
    if(NOT BUILD_SHARED_LIBS)
      # The two archives need each other's place in the order: the second has what the first calls.
      string(APPEND libs " -lhanok_cuda_none")
    endif()
    string(APPEND libs " -pthread")
  endif()
  hanok_pkg_config(hanok-${room} "the room ${room} of hanok" "${needs};${requires}" "${libs}")
endforeach()
set(umbrella engine nn data weights)
set(missing ${umbrella})
list(REMOVE_ITEM missing ${rooms})
if(NOT missing)
  list(TRANSFORM umbrella PREPEND hanok-)
  hanok_pkg_config(hanok "tensors, gradients, layers, data and weights" "${umbrella}" "")
endif()

# ---- headers ----

foreach(header IN LISTS hanok_public_headers)
  get_filename_component(folder ${header} DIRECTORY)
  install(FILES ${PROJECT_SOURCE_DIR}/${header}
          DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanok/${folder})
endforeach()
install(FILES ${PROJECT_SOURCE_DIR}/include/hanok/hanok.h
              ${PROJECT_BINARY_DIR}/include/hanok/version.h
        DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/hanok)

# ---- programs ----

foreach(app IN LISTS HANOK_PROGRAMS)
  if(TARGET ${app})
    file(RELATIVE_PATH to_libraries /${CMAKE_INSTALL_BINDIR} /${CMAKE_INSTALL_LIBDIR})
    if(BUILD_SHARED_LIBS)
      set_target_properties(${app} PROPERTIES INSTALL_RPATH "$ORIGIN/${to_libraries}")
    endif()
    install(TARGETS ${app} RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
    # The program generates its manual page and completion from the options that --help lists.
    install(CODE "
      set(page \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_MANDIR}/man1/${app}.1\")
      set(completion
        \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_DATADIR}/bash-completion/completions/${app}\")
      foreach(file \"\${page}\" \"\${completion}\")
        get_filename_component(folder \"\$ENV{DESTDIR}\${file}\" DIRECTORY)
        file(MAKE_DIRECTORY \"\${folder}\")
      endforeach()
      execute_process(COMMAND $<TARGET_FILE:${app}> --man
                      OUTPUT_FILE \"\$ENV{DESTDIR}\${page}\" COMMAND_ERROR_IS_FATAL ANY)
      execute_process(COMMAND $<TARGET_FILE:${app}> --completion bash
                      OUTPUT_FILE \"\$ENV{DESTDIR}\${completion}\" COMMAND_ERROR_IS_FATAL ANY)
      list(APPEND CMAKE_INSTALL_MANIFEST_FILES \"\${page}\" \"\${completion}\")")
  endif()
endforeach()

# ---- documents and the example ----

install(FILES README.md LICENSE THIRD_PARTY.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}
        FILES_MATCHING PATTERN "*.md" PATTERN "*.svg" PATTERN "*.toml")
foreach(folder kernels engine nn data weights apps)
  install(FILES ${folder}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR}/${folder})
endforeach()
install(DIRECTORY examples DESTINATION ${CMAKE_INSTALL_DOCDIR})

# ---- uninstall ----

if(PROJECT_IS_TOP_LEVEL)
  configure_file(cmake/uninstall.cmake.in ${PROJECT_BINARY_DIR}/uninstall.cmake @ONLY)
  add_custom_target(uninstall COMMAND ${CMAKE_COMMAND} -P ${PROJECT_BINARY_DIR}/uninstall.cmake
                    VERBATIM COMMENT "Removing what was installed last")
endif()
