#include "hanok/apps/cli/errors.h"

#include <cstdio>
#include <exception>
#include <fmt/format.h>
#include <new>

namespace hanok::training {
namespace {

int say(const char* program, const char* message, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", program, message);
  return code;
}

}  // namespace

void require_between(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw UsageError(
        fmt::format("{}: must lie between {} and {}, got {}", option, low, high, value));
  }
}

int report_current_exception(const char* program) {
  try {
    throw;
  } catch (const UsageError& error) {
    return say(program, error.what(), kUsage);
  } catch (const NonFiniteLoss& error) {
    return say(program, error.what(), kNonFinite);
  } catch (const std::bad_alloc&) {
    return say(program, "the system has no memory left; try a smaller --batch-size", kFailure);
  } catch (const std::exception& error) {
    return say(program, error.what(), kFailure);
  }
}

}  // namespace hanok::training
