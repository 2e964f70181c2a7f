# Finds the CUDA toolkit, on the system or in .cache/cuda (installed there by `./dev setup --cuda`), and
# prints in one line what the build includes. Downloads nothing. Sets HANOK_HAVE_CUDA, and
#   hanok_cuda_runtime   headers and the static runtime library
#   hanok_cudnn_headers  cuDNN's and cudnn-frontend's headers, if both were found
# libcuda, cuBLAS and cuDNN are loaded at run time and never linked.
set(cuda_by_default OFF)
if(PROJECT_IS_TOP_LEVEL)
  set(cuda_by_default AUTO)
endif()
set(HANOK_CUDA ${cuda_by_default} CACHE STRING
  "CUDA backend: AUTO (where a toolkit is found), ON (or fail), OFF")
set_property(CACHE HANOK_CUDA PROPERTY STRINGS AUTO ON OFF)
set(HANOK_CUDA_ARCHITECTURES "" CACHE STRING
  "Compute capabilities to compile for, e.g. 80;90. Empty: those of the GPUs here, or 75;80")
set(HANOK_CUDA_OLDEST 12.8)
set(HANOK_HAVE_CUDA OFF)

# hanok_no_cuda(REASON): prints the reason; an error if CUDA was required.
function(hanok_no_cuda reason)
  if(HANOK_CUDA STREQUAL "ON")
    message(FATAL_ERROR "hanok: ${reason}")
  endif()
  message(STATUS "hanok: CPU backend only: ${reason}")
endfunction()

if(HANOK_CUDA STREQUAL "OFF")
  message(STATUS "hanok: CPU backend only: HANOK_CUDA is OFF")
  return()
endif()
if(HANOK_SANITIZE)
  hanok_no_cuda("the sanitizers and CUDA's runtime do not go together")
  return()
endif()

# A toolkit on the system takes precedence over the wheels' toolkit: it is the user's choice.
set(HANOK_CUDA_WHEELS ${PROJECT_SOURCE_DIR}/.cache/cuda)
find_program(HANOK_NVCC nvcc
  HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME PATH_SUFFIXES bin
  PATHS /usr/local/cuda /opt/cuda ${HANOK_CUDA_WHEELS}/nvidia/cu13 PATH_SUFFIXES bin)
if(NOT HANOK_NVCC)
  hanok_no_cuda("no nvcc found (CUDA ${HANOK_CUDA_OLDEST} or newer; `./dev setup --cuda` brings one)")
  return()
endif()
execute_process(COMMAND ${HANOK_NVCC} --version OUTPUT_VARIABLE nvcc_says ERROR_QUIET)
string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" matched "${nvcc_says}")
set(HANOK_CUDA_VERSION "${CMAKE_MATCH_1}")
if(NOT HANOK_CUDA_VERSION OR HANOK_CUDA_VERSION VERSION_LESS HANOK_CUDA_OLDEST)
  hanok_no_cuda("${HANOK_NVCC} is CUDA '${HANOK_CUDA_VERSION}', ${HANOK_CUDA_OLDEST} or newer is \
needed (`./dev setup --cuda` brings one; -DHANOK_NVCC=... names one)")
  return()
endif()

# /usr/bin/nvcc may be a link to the toolkit.
get_filename_component(nvcc_real ${HANOK_NVCC} REALPATH)
get_filename_component(toolkit ${nvcc_real} DIRECTORY)
get_filename_component(toolkit ${toolkit} DIRECTORY)
find_path(HANOK_CUDA_INCLUDE cuda_runtime.h
  HINTS ${toolkit}/include ${toolkit}/targets/x86_64-linux/include)
find_library(HANOK_CUDART cudart_static
  HINTS ${toolkit}/lib64 ${toolkit}/lib ${toolkit}/targets/x86_64-linux/lib)
if(NOT HANOK_CUDA_INCLUDE OR NOT HANOK_CUDART)
  hanok_no_cuda("cuda_runtime.h or libcudart_static.a is missing beside ${HANOK_NVCC}")
  return()
endif()

add_library(hanok_cuda_runtime INTERFACE)
target_include_directories(hanok_cuda_runtime SYSTEM INTERFACE
                           $<BUILD_INTERFACE:${HANOK_CUDA_INCLUDE}>)
target_link_libraries(hanok_cuda_runtime INTERFACE ${HANOK_CUDART} Threads::Threads
                      ${CMAKE_DL_LIBS} rt)

# cuDNN: headers only, and cudnn-frontend (headers too).
find_path(HANOK_CUDNN_INCLUDE cudnn_graph.h
  HINTS ${HANOK_CUDA_INCLUDE} ${HANOK_CUDA_WHEELS}/nvidia/cudnn/include)
find_path(HANOK_CUDNN_FRONTEND_INCLUDE cudnn_frontend.h HINTS ${HANOK_CUDA_WHEELS}/include)
set(HANOK_HAVE_CUDNN OFF)
if(HANOK_CUDNN_INCLUDE AND HANOK_CUDNN_FRONTEND_INCLUDE)
  set(HANOK_HAVE_CUDNN ON)
  set(convolutions "cuDNN's and hand-written convolutions")
  add_library(hanok_cudnn_headers INTERFACE)
  target_include_directories(hanok_cudnn_headers SYSTEM INTERFACE
    $<BUILD_INTERFACE:${HANOK_CUDNN_FRONTEND_INCLUDE}> $<BUILD_INTERFACE:${HANOK_CUDNN_INCLUDE}>)
  # cudnn-frontend loads every cuDNN function by dlsym; its warnings are not ours.
  target_compile_definitions(hanok_cudnn_headers INTERFACE NV_CUDNN_FRONTEND_USE_DYNAMIC_LOADING)
else()
  set(convolutions "hand-written convolutions only (headers of cuDNN or cudnn-frontend not found: \
`./dev setup --cuda` brings them)")
endif()

# The build machine's GPUs, else Turing and Ampere, whose PTX the driver compiles for newer GPUs.
if(HANOK_CUDA_ARCHITECTURES)
  set(architectures ${HANOK_CUDA_ARCHITECTURES})
else()
  set(architectures 75 80)
  find_program(HANOK_NVIDIA_SMI nvidia-smi)
  if(HANOK_NVIDIA_SMI)
    execute_process(COMMAND ${HANOK_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
                    OUTPUT_VARIABLE found ERROR_QUIET RESULT_VARIABLE status)
    string(REGEX MATCHALL "[0-9]+\\.[0-9]" found "${found}")
    if(status EQUAL 0 AND found)
      string(REPLACE "." "" architectures "${found}")
      list(REMOVE_DUPLICATES architectures)
      list(SORT architectures COMPARE NATURAL)
    endif()
  endif()
endif()
set(HANOK_NVCC_ARCHITECTURES "")
foreach(architecture IN LISTS architectures)
  list(APPEND HANOK_NVCC_ARCHITECTURES -gencode=arch=compute_${architecture},code=sm_${architecture})
endforeach()
list(GET architectures -1 newest)
list(APPEND HANOK_NVCC_ARCHITECTURES -gencode=arch=compute_${newest},code=compute_${newest})

set(HANOK_HAVE_CUDA ON)
list(JOIN architectures ", sm_" listed)
message(STATUS "hanok: CPU and CUDA backends: CUDA ${HANOK_CUDA_VERSION} (${HANOK_NVCC}) for \
sm_${listed}; ${convolutions}")

# hanok_compile_cuda(TARGET FILE.cu...): compiles each with nvcc and adds the objects to the target.
# A custom command rather than CMake's CUDA language, which requires a complete toolkit and links its
# libraries.
# Matrix products use fused multiply-add. The other kernels are memory-bound and round each operation
# separately, as the CPU and the emulator do (tests/cuda/compile/compile.sh uses the same flags).
function(hanok_compile_cuda target)
  set(launcher "")
  if(CMAKE_CXX_COMPILER_LAUNCHER)
    set(launcher ${CMAKE_CXX_COMPILER_LAUNCHER})
  endif()
  set(werror "")
  if(HANOK_WERROR)
    set(werror -Werror=all-warnings)
  endif()
  foreach(source IN LISTS ARGN)
    file(RELATIVE_PATH name ${PROJECT_SOURCE_DIR} ${source})
    set(object ${CMAKE_CURRENT_BINARY_DIR}/nvcc/${name}.o)
    get_filename_component(folder ${object} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    set(rounding -fmad=false)
    if(name MATCHES "/(gemm|conv2d)[^/]*$")
      set(rounding "")
    endif()
    add_custom_command(OUTPUT ${object}
      COMMAND ${launcher} ${HANOK_NVCC} -c ${source} -o ${object} -MD -MF ${object}.d -MT ${object}
              -std=c++20 -O3 -ccbin ${CMAKE_CXX_COMPILER} -I${PROJECT_SOURCE_DIR}/include
              ${HANOK_NVCC_ARCHITECTURES} -lineinfo --expt-relaxed-constexpr ${rounding} ${werror}
              -Xcompiler=-fPIC,-Wall,-Wextra
      DEPENDS ${source} DEPFILE ${object}.d VERBATIM
      COMMENT "Compiling ${name} with nvcc")
    target_sources(${target} PRIVATE ${object})
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
  endforeach()
endfunction()
