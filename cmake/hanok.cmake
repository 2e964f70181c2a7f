# The compiler flags required for identical bits everywhere, and a helper that defines a room's library.

# Flags are set for hanok's own folders and never carried by a target: a program that uses the
# library, installed or as a subproject, chooses its own.
# -ffp-contract=off: fused multiply-add only where the source requests it.
add_compile_options(-ffp-contract=off)
if(PROJECT_IS_TOP_LEVEL)
  add_compile_options(-Wall -Wextra -Wpedantic)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-Wno-restrict)  # g++ 12 sees overlaps in `"[" + std::to_string(i)` (its bug 105329)
  else()
    add_compile_options(-Wreserved-identifier)
  endif()
endif()
if(HANOK_WERROR)
  add_compile_options(-Werror)
endif()
# A library hides what it does not offer: public headers say `#pragma GCC visibility push(default)`.
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
if(HANOK_SANITIZE)
  add_compile_options(-fsanitize=${HANOK_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HANOK_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")  # g++ 12 sees the sanitizers' own branches in std::function
    add_compile_options(-Wno-maybe-uninitialized)
  endif()
endif()

# What every user of a room gets: C++20 and where the headers are.
configure_file(cmake/version.h.in ${PROJECT_BINARY_DIR}/include/hanok/version.h @ONLY)
add_library(hanok_flags INTERFACE)
set_target_properties(hanok_flags PROPERTIES EXPORT_NAME flags)
target_compile_features(hanok_flags INTERFACE cxx_std_20)
target_include_directories(hanok_flags INTERFACE
  $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
  $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)

# hanok_room(NAME SOURCES... [PUBLIC libs...] [PRIVATE libs...] [HEADER_ONLY libs...]
#            HEADERS patterns... [PRIVATE_HEADERS files...]
#            [PUBLIC_PACKAGES names...] [PACKAGES names...] [PC_REQUIRES names...])
# makes the library hanok_NAME, alias hanok::NAME, static or shared as BUILD_SHARED_LIBS says.
#   HEADER_ONLY      libraries of which only headers are used; programs that link the room need not find them
#   HEADERS          the public headers: what is installed. A public header includes public headers
#                    only (tests/structure/headers_test.cpp)
#   PRIVATE_HEADERS  those that match HEADERS and are not public
#   PUBLIC_PACKAGES  what find_package must find before a program can use the room
#   PACKAGES         what it must find besides for the static library
#   PC_REQUIRES      PACKAGES by pkg-config's names
function(hanok_room name)
  cmake_parse_arguments(ROOM "" ""
    "SOURCES;PUBLIC;PRIVATE;HEADER_ONLY;HEADERS;PRIVATE_HEADERS;PUBLIC_PACKAGES;PACKAGES;PC_REQUIRES"
    ${ARGN})
  add_library(hanok_${name} ${ROOM_SOURCES})
  add_library(hanok::${name} ALIAS hanok_${name})
  set_target_properties(hanok_${name} PROPERTIES EXPORT_NAME ${name} VERSION ${PROJECT_VERSION}
    SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
    DEFINE_SYMBOL "")  # so that static and shared builds compile the same objects
  target_link_libraries(hanok_${name} PUBLIC hanok_flags ${ROOM_PUBLIC} PRIVATE ${ROOM_PRIVATE})
  foreach(library IN LISTS ROOM_HEADER_ONLY)
    target_link_libraries(hanok_${name} PRIVATE $<BUILD_INTERFACE:${library}>)
  endforeach()

  file(GLOB headers CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${ROOM_HEADERS})
  foreach(header IN LISTS ROOM_PRIVATE_HEADERS)
    if(NOT EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${header})
      message(FATAL_ERROR "${CMAKE_CURRENT_SOURCE_DIR}/${header}, named as private, is not there")
    endif()
    list(REMOVE_ITEM headers ${header})
  endforeach()
  file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
  list(TRANSFORM headers PREPEND ${folder}/)
  set_property(GLOBAL APPEND PROPERTY hanok_rooms ${name})
  set_property(GLOBAL APPEND PROPERTY hanok_public_headers ${headers})
  set_property(GLOBAL PROPERTY hanok_${name}_needs ${ROOM_PUBLIC})
  set_property(GLOBAL PROPERTY hanok_${name}_packages ${ROOM_PUBLIC_PACKAGES})
  if(NOT BUILD_SHARED_LIBS)
    set_property(GLOBAL APPEND PROPERTY hanok_${name}_packages ${ROOM_PACKAGES})
    set_property(GLOBAL PROPERTY hanok_${name}_pc_requires ${ROOM_PC_REQUIRES})
  endif()
endfunction()
