#include "hanok/kernels/cuda/libraries/dynamic_library.h"

#include <cstdlib>
#include <dlfcn.h>

// The build defines its toolkit's library folder here, one more folder to search.
#ifndef HANOK_CUDA_TOOLKIT_LIBRARIES
#define HANOK_CUDA_TOOLKIT_LIBRARIES ""
#endif

namespace hanok::cuda {
namespace {

// Appends the folders of a colon-separated list, each ending in a slash.
void append_folders(const char* list, std::vector<std::string>& folders) {
  std::string folder;
  for (const char* p = list != nullptr ? list : "";; ++p) {
    if (*p != ':' && *p != '\0') {
      folder += *p;
      continue;
    }
    if (!folder.empty()) folders.push_back(folder + "/");
    folder.clear();
    if (*p == '\0') return;
  }
}

std::vector<std::string> places() {
  std::vector<std::string> folders;
  append_folders(std::getenv("HANOK_CUDA_LIBRARIES"), folders);
  folders.emplace_back();  // a bare name: LD_LIBRARY_PATH, the linker's cache, the system's folders
  append_folders(HANOK_CUDA_TOOLKIT_LIBRARIES, folders);
  append_folders("/usr/local/cuda/lib64:/usr/local/cuda/lib", folders);
  return folders;
}

bool is_no_such_file(const std::string& message) {
  return message.find("No such file or directory") != std::string::npos;
}

}  // namespace

void* open_library(const LibraryRequest& request, std::string* missing) {
  std::string broken;  // a file that exists but cannot be loaded, and why
  for (const std::string& folder : places()) {
    for (const std::string& file : request.file_names) {
      dlerror();
      // RTLD_GLOBAL would let its symbols replace those of another copy in the process.
      if (void* library = dlopen((folder + file).c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
      const char* error = dlerror();
      const std::string message = error != nullptr ? error : "";
      if (broken.empty() && !message.empty() && !is_no_such_file(message)) broken = message;
    }
  }
  if (missing != nullptr) {
    *missing = request.name + ": " +
               (broken.empty() ? request.file_names.front() + " was not found"
                               : "it cannot be loaded (" + broken + ")") +
               "; needed: " + request.needed + "; " + request.how_to_get +
               "; or set HANOK_CUDA_LIBRARIES to its folder";
  }
  return nullptr;
}

void* find_function(void* library, const char* name) { return dlsym(library, name); }

}  // namespace hanok::cuda
