// Fills the table of cuBLAS's functions from the library on this machine.
#include "hanok/kernels/cuda/libraries/cublas.h"
#include "hanok/kernels/cuda/libraries/dynamic_library.h"

namespace hanok::cuda {
namespace {

struct Opened {
  CublasFunctions functions;
  int (*get_property)(int type, int* value) = nullptr;
  bool complete = false;
  std::string missing;
};

LibraryRequest request() {
  const std::string major = std::to_string(CUDART_VERSION / 1000);
  return {"cuBLAS",
          {"libcublas.so." + major},
          "cuBLAS of CUDA " + major,
          "it comes with the CUDA toolkit, with Debian's package libcublas" + major +
              " or with `pip install nvidia-cublas" + (major == "12" ? "-cu12`" : "`")};
}

template <typename Function>
void find(void* library, const char* name, Function& function, Opened& opened) {
  function = reinterpret_cast<Function>(find_function(library, name));
  if (function == nullptr && opened.missing.empty()) {
    opened.missing = std::string("cuBLAS: the library has no function ") + name +
                     "; needed: " + request().needed;
  }
}

Opened open() {
  Opened opened;
  void* library = open_library(request(), &opened.missing);
  if (library == nullptr) return opened;
  CublasFunctions& table = opened.functions;
  find(library, "cublasCreate_v2", table.create, opened);
  find(library, "cublasDestroy_v2", table.destroy, opened);
  find(library, "cublasGetVersion_v2", table.get_version, opened);
  find(library, "cublasSetMathMode", table.set_math_mode, opened);
  find(library, "cublasSetStream_v2", table.set_stream, opened);
  find(library, "cublasSetWorkspace_v2", table.set_workspace, opened);
  find(library, "cublasGemmStridedBatchedEx_64", table.gemm_strided_batched, opened);
  find(library, "cublasGetStatusName", table.status_name, opened);
  find(library, "cublasGetStatusString", table.status_string, opened);
  find(library, "cublasGetProperty", opened.get_property, opened);
  opened.complete = opened.missing.empty();
  return opened;
}

const Opened& opened() {
  static const Opened once = open();
  return once;
}

}  // namespace

const CublasFunctions* open_cublas(std::string* missing) {
  if (opened().complete) return &opened().functions;
  if (missing != nullptr) *missing = opened().missing;
  return nullptr;
}

std::string cublas_version() {
  if (!opened().complete) return "";
  std::string version;
  for (int part = 0; part < 3; ++part) {  // MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL
    int value = 0;
    if (opened().get_property(part, &value) != 0) return "";
    version += (part > 0 ? "." : "") + std::to_string(value);
  }
  return version;
}

}  // namespace hanok::cuda
