# Compiler flags that the same-bits promise rests on, and one helper that makes a room's library.

add_library(hanok_flags INTERFACE)
target_compile_options(hanok_flags INTERFACE
  -ffp-contract=off   # fused multiply-add only where the source says so
  -Wall -Wextra -Wpedantic $<$<BOOL:${HANOK_WERROR}>:-Werror>)
target_include_directories(hanok_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/hanok>)
if(HANOK_SANITIZE)
  target_compile_options(hanok_flags INTERFACE -fsanitize=${HANOK_SANITIZE} -fno-sanitize-recover=all
                                               -fno-omit-frame-pointer)
  target_link_options(hanok_flags INTERFACE -fsanitize=${HANOK_SANITIZE})
endif()

# hanok_room(NAME SOURCES... [PUBLIC libs...] [PRIVATE libs...]): library hanok_NAME, alias hanok::NAME
function(hanok_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  add_library(hanok_${name} STATIC ${ROOM_SOURCES})
  add_library(hanok::${name} ALIAS hanok_${name})
  target_link_libraries(hanok_${name} PUBLIC hanok_flags ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
endfunction()
