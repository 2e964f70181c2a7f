// Optional libraries: loaded at run time, never linked, so that one binary starts on every machine.
#pragma once

#include <string>
#include <vector>

namespace hanok::cuda {

/// What to load, and the message for a user who does not have it.
struct LibraryRequest {
  std::string name;                     // "cuBLAS"
  std::vector<std::string> file_names;  // best first: "libcublas.so.13"
  std::string needed;                   // "cuBLAS of CUDA 12.8 or newer"
  std::string how_to_get;               // "it comes with the CUDA toolkit"
};

/// Loads the first file found: in the folders of HANOK_CUDA_LIBRARIES (separated by colons), by the
/// dynamic linker's own rules, in the toolkit that this program was built with, and in
/// /usr/local/cuda. Returns dlopen's handle, which is never closed; or null, with one line in
/// `missing` on what is missing, what is needed and how to get it.
void* open_library(const LibraryRequest& request, std::string* missing);

/// The function of that name; null if the library has none.
void* find_function(void* library, const char* name);

}  // namespace hanok::cuda
