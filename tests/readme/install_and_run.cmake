# Installs hanok into a temporary prefix, extracts the C++ program from the README, builds it against
# find_package(hanok) and runs it. Arguments: SOURCE_DIR, BINARY_DIR, CXX, SANITIZE, LAUNCHER.

function(run what)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "${what} failed (${status}):\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

set(work ${BINARY_DIR}/tests/readme_program)
file(REMOVE_RECURSE ${work})

run("installing" ${CMAKE_COMMAND} --install ${BINARY_DIR} --prefix ${work}/prefix)

file(READ ${SOURCE_DIR}/README.md readme)
string(FIND "${readme}" "```cpp\n" begin)
if(begin EQUAL -1)
  message(FATAL_ERROR "README.md holds no C++ program")
endif()
math(EXPR begin "${begin} + 7")
string(SUBSTRING "${readme}" ${begin} -1 rest)
string(FIND "${rest}" "```" length)
string(SUBSTRING "${rest}" 0 ${length} program)
string(REGEX MATCHALL "\n" lines "${program}")
list(LENGTH lines line_count)
if(line_count GREATER 40)
  message(FATAL_ERROR "the README's program has ${line_count} lines; 40 are allowed")
endif()
file(WRITE ${work}/program.cpp "${program}")

set(flags "")
if(SANITIZE)
  set(flags "-DCMAKE_CXX_FLAGS=-fsanitize=${SANITIZE}")
endif()
run("configuring the program" ${CMAKE_COMMAND} -S ${SOURCE_DIR}/tests/readme/consumer -B ${work}/build
    -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH=${work}/prefix
    -DCMAKE_CXX_COMPILER=${CXX} -DCMAKE_CXX_COMPILER_LAUNCHER=${LAUNCHER}
    -DPROGRAM=${work}/program.cpp ${flags})
run("building the program" ${CMAKE_COMMAND} --build ${work}/build)
run("running the program" ${work}/build/readme_program)
message("${output}")

# The last printed line reports an accuracy of 1.
string(STRIP "${output}" output)
if(NOT output MATCHES "accuracy 1\\.000$")
  message(FATAL_ERROR "the program does not learn its task:\n${output}")
endif()
