// Replaces the cuDNN sources if the headers of cuDNN or cudnn-frontend were not found at build
// time; convolutions then run on hanok's own kernels.
#include "hanok/kernels/cuda/libraries/cudnn_convolution.h"

namespace hanok::cuda {

CudnnOptions cudnn_options() { return {}; }
void set_cudnn_options(const CudnnOptions&) {}

std::unique_ptr<Convolution> make_cudnn_convolution(int, std::string* missing) {
  if (missing != nullptr) {
    *missing =
        "cuDNN: this program was built without it (no headers of cuDNN 9 and cudnn-frontend were "
        "found; `./dev setup --cuda` installs them)";
  }
  return nullptr;
}

std::string cudnn_version() { return ""; }

std::vector<std::string> cudnn_plan_records() { return {}; }

}  // namespace hanok::cuda
