// Settings, errors and devices of the stand-in.
#include "tests/cuda/standin/machine.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <hanok_emulator.h>
#include <sstream>
#include <stdexcept>

namespace hanok::standin {
namespace {

std::size_t parse_size(const std::string& text) {
  std::size_t end = 0;
  std::size_t value = std::stoull(text, &end);
  const std::string unit = text.substr(end);
  if (unit == "k") value <<= 10;
  if (unit == "M") value <<= 20;
  if (unit == "G") value <<= 30;
  if (!unit.empty() && unit != "k" && unit != "M" && unit != "G") {
    throw std::invalid_argument(text);
  }
  return value;
}

}  // namespace

Settings parse_settings(const std::string& text) {
  Settings result;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t equals = part.find('=');
    const std::string name = part.substr(0, equals);
    try {
      if (equals == std::string::npos) throw std::invalid_argument(part);
      const std::size_t value = parse_size(part.substr(equals + 1));
      if (name == "seed") {
        result.seed = value;
      } else if (name == "devices") {
        result.devices = static_cast<int>(value);
      } else if (name == "driver") {
        result.driver = static_cast<int>(value);
      } else if (name == "arch") {
        result.arch = static_cast<int>(value);
      } else if (name == "memory") {
        result.memory = value;
      } else if (name == "fail_launch") {
        result.fail_launch = static_cast<std::int64_t>(value);
      } else if (name == "cublas") {
        result.cublas = value != 0;
      } else if (name == "cudnn") {
        result.cudnn = value != 0;
      } else if (name == "graphs") {
        result.graphs = value != 0;
      } else {
        throw std::invalid_argument(part);
      }
    } catch (const std::logic_error&) {
      throw std::invalid_argument("HANOK_STANDIN: cannot read \"" + part + "\"");
    }
  }
  return result;
}

Machine::Machine() {
  if (const char* text = std::getenv("HANOK_STANDIN")) settings = parse_settings(text);
  random = settings.seed;
  emulator::set_sink([](emulator::Launch launch, cudaStream_t stream) {
    const cudaError_t error =
        enqueue(stream, "a kernel", [launch = std::move(launch)] { emulator::execute(launch); });
    if (error != cudaSuccess) machine().last = error;
  });
}

Machine& machine() {
  static auto* instance = new Machine();  // NOLINT: outlives all tensors of static lifetime
  return *instance;
}

/// splitmix64
std::uint64_t Machine::draw() {
  random += 0x9e3779b97f4a7c15U;
  std::uint64_t z = random;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}

cudaError_t Machine::result(cudaError_t error) {
  if (error == cudaSuccess) error = sticky;
  if (error != cudaSuccess && error != cudaErrorNotReady) last = error;
  return error;
}

const Settings& settings() { return machine().settings; }

void set_settings(const Settings& settings) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  run_all();
  m.settings = settings;
  m.random = settings.seed;
  m.last = m.sticky = cudaSuccess;
  m.counters.launches = 0;
}

Counters counters() {
  const Lock lock(machine().mutex);
  return machine().counters;
}
void reset_counters() {
  const Lock lock(machine().mutex);
  machine().counters = Counters();
}
std::size_t bytes_in_use() {
  const Lock lock(machine().mutex);
  return machine().in_use;
}

}  // namespace hanok::standin

using hanok::standin::Lock;
using hanok::standin::Machine;
using hanok::standin::machine;

namespace {

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};
// Errors returned by the stand-in, with CUDA's texts.
constexpr ErrorText kErrors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "the capture was not initiated in this stream"},
};

const ErrorText& error_text(cudaError_t error) {
  static constexpr ErrorText kUnknown{cudaErrorUnknown, "cudaErrorUnknown", "unknown error"};
  for (const ErrorText& text : kErrors) {
    if (text.error == error) return text;
  }
  return kUnknown;
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) { return error_text(error).name; }
const char* cudaGetErrorString(cudaError_t error) { return error_text(error).text; }

cudaError_t cudaGetLastError() {
  Machine& m = machine();
  const Lock lock(m.mutex);
  const cudaError_t error = m.last;
  m.last = m.sticky;
  return error;
}

cudaError_t cudaPeekAtLastError() {
  const Lock lock(machine().mutex);
  return machine().last;
}

cudaError_t cudaDriverGetVersion(int* version) {
  *version = machine().settings.driver;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  *count = 0;
  if (m.settings.driver < 13000) return m.result(cudaErrorInsufficientDriver);
  if (m.settings.devices == 0) return m.result(cudaErrorNoDevice);
  *count = m.settings.devices;
  return m.result(cudaSuccess);
}

cudaError_t cudaGetDevice(int* device) {
  *device = machine().device;
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (device < 0 || device >= m.settings.devices) return m.result(cudaErrorInvalidDevice);
  m.device = device;
  return m.result(cudaSuccess);
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  Machine& m = machine();
  const Lock lock(m.mutex);
  if (device < 0 || device >= m.settings.devices) return m.result(cudaErrorInvalidDevice);
  *properties = cudaDeviceProp{};
  std::snprintf(properties->name, sizeof properties->name, "stand-in on the CPU");
  properties->major = m.settings.arch / 10;
  properties->minor = m.settings.arch % 10;
  properties->totalGlobalMem = m.settings.memory;
  properties->sharedMemPerBlock = std::size_t{48} << 10;
  properties->sharedMemPerBlockOptin = std::size_t{m.settings.arch >= 90 ? 227U : 64U} << 10;
  properties->multiProcessorCount = 4;
  properties->warpSize = 32;
  return m.result(cudaSuccess);
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp properties{};
  const cudaError_t error = cudaGetDeviceProperties(&properties, device);
  *value = 0;
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(properties.sharedMemPerBlock);
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = properties.multiProcessorCount;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = properties.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = properties.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(properties.sharedMemPerBlockOptin);
      break;
    default:
      return machine().result(cudaErrorInvalidValue);  // not part of the subset
  }
  return error;
}
