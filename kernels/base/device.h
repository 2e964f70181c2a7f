// Where bytes are stored and arithmetic runs: "cpu" or "cuda:N".
#pragma once

#include <string>

#pragma GCC visibility push(default)
namespace hanok {

struct Device {
  enum class Kind { Cpu, Cuda };
  Kind kind = Kind::Cpu;
  int index = 0;

  static constexpr Device cpu() { return {Kind::Cpu, 0}; }
  static constexpr Device cuda(int index) { return {Kind::Cuda, index}; }

  constexpr bool is_cpu() const { return kind == Kind::Cpu; }
  std::string to_string() const {
    return is_cpu() ? std::string("cpu") : "cuda:" + std::to_string(index);
  }
  friend constexpr bool operator==(Device, Device) = default;
};

}  // namespace hanok
#pragma GCC visibility pop
