#include "hanok/kernels/cuda/runtime/cuda_devices.h"

#include <cstdio>
#include <cuda_runtime.h>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/cuda/runtime/cuda.h"

namespace hanok::cuda {
namespace {

constexpr int kOldestArchitecture = 75;
constexpr std::size_t kLeastMemory = std::size_t{32} << 20;

/// 13000 -> "13.0", 12080 -> "12.8"
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string architecture(const CudaDeviceInfo& device) {
  return "sm_" + std::to_string(device.major) + std::to_string(device.minor);
}

std::string gibibytes(std::size_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", static_cast<double>(bytes) / (1 << 30));
  return text;
}

CudaDeviceInfo info_of(int index) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
  CudaDeviceInfo info;
  info.index = index;
  info.name = properties.name;
  info.major = properties.major;
  info.minor = properties.minor;
  info.total_bytes = properties.totalGlobalMem;
  return info;
}

/// The query allocates device memory (its context), so it is made only for devices that are used.
std::size_t free_memory(const CudaDeviceInfo& device) {
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  cudaError_t status = cudaSetDevice(device.index);
  if (status == cudaSuccess) status = cudaMemGetInfo(&free_bytes, &total_bytes);
  if (status == cudaErrorMemoryAllocation) {
    cudaGetLastError();
    return 0;
  }
  check(status, "cudaMemGetInfo");
  return free_bytes;
}

}  // namespace

std::vector<CudaDeviceInfo> all_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status == cudaErrorInsufficientDriver) {
    cudaGetLastError();
    int driver = 0;
    cudaDriverGetVersion(&driver);
    const std::string needed = version_text(CUDART_VERSION);
    if (driver == 0) {
      throw DeviceError("CUDA: no NVIDIA driver was found; a driver for CUDA " + needed +
                        " or newer is needed (nvidia-smi shows it when it works)");
    }
    throw DeviceError("CUDA: the NVIDIA driver is for CUDA " + version_text(driver) +
                      ", this program needs one for CUDA " + needed + " or newer");
  }
  if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    cudaGetLastError();
    throw DeviceError(
        "CUDA: the driver lists no device; a GPU of sm_75 or newer is needed (CUDA_VISIBLE_DEVICES "
        "may hide it)");
  }
  check(status, "cudaGetDeviceCount");
  std::vector<CudaDeviceInfo> devices;
  for (int index = 0; index < count; ++index) devices.push_back(info_of(index));
  return devices;
}

void check_architecture(const CudaDeviceInfo& device) {
  if (device.major * 10 + device.minor >= kOldestArchitecture) return;
  throw DeviceError("cuda:" + std::to_string(device.index) + ": " + device.name + " is of " +
                    architecture(device) + "; sm_75 (Turing) or newer is needed");
}

CudaDeviceInfo require_device(int index) {
  const std::vector<CudaDeviceInfo> devices = all_devices();
  if (index < 0 || index >= static_cast<int>(devices.size())) {
    std::string found;
    for (const CudaDeviceInfo& device : devices) {
      found +=
          (found.empty() ? "cuda:" : ", cuda:") + std::to_string(device.index) + " " + device.name;
    }
    throw DeviceError("cuda:" + std::to_string(index) + ": no such device; this machine has " +
                      found);
  }
  CudaDeviceInfo device = devices[static_cast<std::size_t>(index)];
  check_architecture(device);
  device.free_bytes = free_memory(device);
  if (device.free_bytes < kLeastMemory) {
    throw DeviceError("cuda:" + std::to_string(index) + ": " + device.name + " has " +
                      std::to_string(device.free_bytes >> 20) + " of " +
                      std::to_string(device.total_bytes >> 20) + " MiB free; at least " +
                      std::to_string(kLeastMemory >> 20) + " MiB are needed");
  }
  return device;
}

std::string to_text(const CudaDeviceInfo& device) {
  return "cuda:" + std::to_string(device.index) + " " + device.name + " (" + architecture(device) +
         "), " + gibibytes(device.free_bytes) + " of " + gibibytes(device.total_bytes) +
         " GiB free";
}

}  // namespace hanok::cuda
