// The machine that the stand-in simulates for the programs started during its lifetime.
#pragma once

#include <cstdlib>
#include <string>

namespace hanok::test {

class Machine {
 public:
  /// As in tests/cuda/standin/control.h, e.g. "seed=3,memory=64M".
  explicit Machine(const std::string& settings) { setenv("HANOK_STANDIN", settings.c_str(), 1); }
  ~Machine() { unsetenv("HANOK_STANDIN"); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
};

/// A machine and a --device on which nothing can be computed; and the parts of the message: what
/// was found and what is needed.
struct BadMachine {
  const char* settings;
  const char* device;
  const char* found;
  const char* needed;
};

inline constexpr BadMachine kBadMachines[] = {
    {"driver=0", "cuda", "no NVIDIA driver", "a driver for CUDA 13.0 or newer"},
    {"driver=12020", "cuda", "driver is for CUDA 12.2", "CUDA 13.0 or newer"},
    {"devices=0", "cuda", "the driver lists no device", "sm_75 or newer"},
    {"devices=1", "cuda:3", "cuda:3: no such device", "has cuda:0"},
    {"arch=61", "cuda", "is of sm_61", "sm_75 (Turing) or newer"},
    {"memory=16M", "cuda", "has 16 of 16 MiB free", "at least 32 MiB"}};

}  // namespace hanok::test
