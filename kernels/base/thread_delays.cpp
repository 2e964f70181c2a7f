#include "hanok/kernels/base/thread_delays.h"

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>

#include "hanok/kernels/base/error.h"
#include "hanok/kernels/base/philox.h"

namespace hanok {

const ThreadDelays* ThreadDelays::from_environment() {
  const char* variable = std::getenv("HANOK_THREAD_DELAYS");
  const std::string_view text = variable == nullptr ? "" : variable;
  if (text.empty()) return nullptr;
  std::uint64_t seed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seed);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw ValueError("HANOK_THREAD_DELAYS: expects a seed, a whole number; got '" +
                     std::string(text) + "'");
  }
  static const ThreadDelays delays(seed);
  return &delays;
}

void ThreadDelays::wait() const {
  static std::atomic<std::uint32_t> waits{0};
  const auto words = philox(philox_key(seed_, RandomStream::Test), {waits.fetch_add(1), 0, 0, 0});
  // Half of the waits are none, most are as long as a small kernel, some outlast a large one.
  if (words[0] % 2 == 0) return;
  const std::uint32_t longest = words[1] % 64 == 0 ? 2000 : 100;
  std::this_thread::sleep_for(std::chrono::microseconds(words[2] % longest));
}

}  // namespace hanok
