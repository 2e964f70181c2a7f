#include "hanok/apps/cli/errors.h"

#include <exception>
#include <fmt/format.h>
#include <new>

namespace hanok::training {
void require_between(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw UsageError(
        fmt::format("{}: must lie between {} and {}, got {}", option, low, high, value));
  }
}

Failure current_failure() {
  try {
    throw;
  } catch (const UsageError& error) {
    return {.exit_code = kUsage, .message = error.what()};
  } catch (const NonFiniteLoss& error) {
    return {.exit_code = kNonFinite, .message = error.what()};
  } catch (const std::bad_alloc&) {
    return {.exit_code = kFailure,
            .message = "the system has no memory left; try a smaller --batch-size"};
  } catch (const std::exception& error) {
    return {.exit_code = kFailure, .message = error.what()};
  }
}

}  // namespace hanok::training
