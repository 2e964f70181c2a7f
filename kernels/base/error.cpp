#include "hanok/kernels/base/error.h"

#include <fmt/core.h>

namespace hanok {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;

}  // namespace

OutOfMemory::OutOfMemory(std::size_t requested, std::size_t in_use, std::size_t budget)
    : Error(fmt::format("out of memory: {:.1f} MiB requested with {:.1f} MiB in use of a budget of "
                        "{:.1f} MiB",
                        static_cast<double>(requested) / kMiB, static_cast<double>(in_use) / kMiB,
                        static_cast<double>(budget) / kMiB)),
      requested_(requested),
      in_use_(in_use),
      budget_(budget) {}

}  // namespace hanok
