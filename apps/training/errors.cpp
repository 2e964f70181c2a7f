#include "apps/training/errors.h"

#include <cstdio>
#include <exception>
#include <new>

namespace hanok::training {
namespace {

int say(const char* program, const char* message, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s: %s\n", program, message);
  return code;
}

}  // namespace

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
