# The compiler flags required for identical bits everywhere, and a helper that defines a room's library.

# -ffp-contract=off: fused multiply-add only where the source requests it.
set(compile_options -ffp-contract=off -Wall -Wextra -Wpedantic)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  list(APPEND compile_options -Wno-restrict)  # g++ 12 falsely reports overlaps in `"[" + std::to_string(i)` (its bug 105329)
endif()
set(link_options "")
if(HANOK_WERROR)
  list(APPEND compile_options -Werror)
endif()
if(HANOK_SANITIZE)
  list(APPEND compile_options -fsanitize=${HANOK_SANITIZE} -fno-sanitize-recover=all
       -fno-omit-frame-pointer)
  list(APPEND link_options -fsanitize=${HANOK_SANITIZE})
endif()

# BUILD_INTERFACE: these flags apply to hanok's own sources only, not to users of the installed library.
add_library(hanok_flags INTERFACE)
set_target_properties(hanok_flags PROPERTIES EXPORT_NAME flags)
target_compile_features(hanok_flags INTERFACE cxx_std_20)
target_compile_options(hanok_flags INTERFACE "$<BUILD_INTERFACE:${compile_options}>")
target_link_options(hanok_flags INTERFACE "$<BUILD_INTERFACE:${link_options}>")
target_include_directories(hanok_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)

# hanok_room(NAME SOURCES... [PUBLIC libs...] [PRIVATE libs...]): defines library hanok_NAME, alias
# hanok::NAME
function(hanok_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(hanok_${name} STATIC ${ROOM_SOURCES})
  add_library(hanok::${name} ALIAS hanok_${name})
  set_target_properties(hanok_${name} PROPERTIES EXPORT_NAME ${name})
  target_link_libraries(hanok_${name} PUBLIC hanok_flags ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
endfunction()
