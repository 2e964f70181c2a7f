#include "hanok/kernels/cpu/conv2d/driver.h"

#include <array>

#include "hanok/kernels/cpu/conv2d/depthwise.h"
#include "hanok/kernels/cpu/conv2d/few_channels.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm.h"
#include "hanok/kernels/cpu/conv2d/implicit_gemm_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd2x2.h"
#include "hanok/kernels/cpu/conv2d/winograd2x2_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4.h"
#include "hanok/kernels/cpu/conv2d/winograd4x4_int16.h"
#include "hanok/kernels/cpu/conv2d/winograd_stem.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided.h"
#include "hanok/kernels/cpu/conv2d/winograd_strided_int16.h"

namespace hanok {
namespace {

struct Row {
  Conv2dAlgorithm algorithm;
  const cpu::Conv2dDriver* driver;
};

constexpr std::array<Row, 11> kTable = {{
    {Conv2dAlgorithm::ImplicitGemm, &cpu::implicit_gemm::driver},
    {Conv2dAlgorithm::FewChannels, &cpu::few_channels::driver},
    {Conv2dAlgorithm::Winograd4x4, &cpu::winograd4x4::driver},
    {Conv2dAlgorithm::Winograd2x2, &cpu::winograd2x2::driver},
    {Conv2dAlgorithm::WinogradStrided, &cpu::winograd_strided::driver},
    {Conv2dAlgorithm::WinogradStem, &cpu::winograd_stem::driver},
    {Conv2dAlgorithm::Depthwise, &cpu::depthwise::driver},
    {Conv2dAlgorithm::Winograd4x4Int16, &cpu::winograd4x4_int16::driver},
    {Conv2dAlgorithm::ImplicitGemmInt16, &cpu::implicit_gemm_int16::driver},
    {Conv2dAlgorithm::WinogradStridedInt16, &cpu::winograd_strided_int16::driver},
    {Conv2dAlgorithm::Winograd2x2Int16, &cpu::winograd2x2_int16::driver},
}};

constexpr bool in_order_of_the_enumeration() {
  for (std::size_t i = 0; i < kTable.size(); ++i) {
    if (static_cast<std::size_t>(kTable[i].algorithm) != i) return false;
  }
  return kTable.back().algorithm == kLastConv2dAlgorithm;
}
static_assert(in_order_of_the_enumeration());

}  // namespace

const cpu::Conv2dDriver& cpu::driver_of(Conv2dAlgorithm algorithm) {
  return *kTable.at(static_cast<std::size_t>(algorithm)).driver;
}

const std::vector<Conv2dAlgorithm>& conv2d_algorithms() {
  static const std::vector<Conv2dAlgorithm> all = [] {
    std::vector<Conv2dAlgorithm> algorithms;
    for (const Row& row : kTable) algorithms.push_back(row.algorithm);
    return algorithms;
  }();
  return all;
}

bool can_compute(Conv2dAlgorithm algorithm, Conv2dPass pass, const Conv2dShape& shape) {
  const cpu::Conv2dDriver& driver = cpu::driver_of(algorithm);
  const bool has_pass = pass == Conv2dPass::Forward        ? driver.forward != nullptr
                        : pass == Conv2dPass::BackwardData ? driver.backward_data != nullptr
                                                           : driver.backward_weights != nullptr;
  return has_pass && driver.fits(shape);
}

const char* name_of(Conv2dAlgorithm algorithm) { return cpu::driver_of(algorithm).name; }

}  // namespace hanok
