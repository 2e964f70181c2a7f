#include "hanok/apps/cli/errors.h"

#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <ios>
#include <limits>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

#include "hanok/engine/available_memory.h"

namespace hanok::training {
namespace {

/// "std::out_of_range"
std::string type_name(const std::exception& error) {
  const char* mangled = typeid(error).name();
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(mangled, nullptr, nullptr, &status), &std::free);
  return status == 0 ? name.get() : mangled;
}

std::string refused_by_system() {
  constexpr double kMebibyte = 1 << 20;
  std::string text = fmt::format("the system refused memory with {:.0f} MiB in use by this process",
                                 static_cast<double>(resident_memory()) / kMebibyte);
  const std::size_t left = available_address_space();
  if (left < std::numeric_limits<std::size_t>::max()) {
    text += fmt::format(" and {:.0f} MiB left of its limits (ulimit -v, -d)",
                        static_cast<double>(left) / kMebibyte);
  }
  return text;
}

constexpr const char* kLessMemory =
    "nothing is left to divide or to give back: allow more memory (--memory, or the system's "
    "limit), or try a smaller --batch-size, --image-size or --model";

std::string text_of(const std::filesystem::filesystem_error& error) {
  const std::string path = error.path1().string();
  return fmt::format("{}: {}", path.empty() ? "a file" : path, error.code().message());
}

/// What the standard library throws without hanok having caught it where it knew more. Its text
/// ("basic_string::_M_create", "stoi") says nothing to a user: it is kept for the report.
std::string text_of(const std::exception& error) {
  return fmt::format(
      "internal error, a fault of this program and not of yours; please report it together with "
      "the command line ({}, \"{}\")",
      type_name(error), error.what());
}

}  // namespace

void require_between(const char* option, std::int64_t value, std::int64_t low, std::int64_t high) {
  if (value < low || value > high) {
    throw UsageError(
        fmt::format("{}: must lie between {} and {}, got {}", option, low, high, value));
  }
}

LackOfMemory lack_of_memory() {
  try {
    throw;
  } catch (const OutOfMemory& error) {
    return {.message = error.what()};
  } catch (const std::bad_alloc&) {
    return {.message = refused_by_system(), .of_system = true};
  }
}

Failure current_failure() {
  try {
    throw;
  } catch (const UsageError& error) {
    return {.exit_code = kUsage, .message = error.what()};
  } catch (const NonFiniteLoss& error) {
    return {.exit_code = kNonFinite, .message = error.what()};
  } catch (const OutOfMemory& error) {
    return {.exit_code = kFailure, .message = fmt::format("{}; {}", error.what(), kLessMemory)};
  } catch (const Error& error) {
    return {.exit_code = kFailure, .message = error.what()};
  } catch (const std::bad_alloc&) {
    return {.exit_code = kFailure,
            .message = fmt::format("{}; {}", refused_by_system(), kLessMemory)};
  } catch (const std::length_error&) {  // of a container that should hold more than can exist
    return {.exit_code = kFailure,
            .message =
                "the work needs more memory than can be addressed; try a smaller "
                "--batch-size or --image-size"};
  } catch (const std::filesystem::filesystem_error& error) {
    return {.exit_code = kFailure, .message = text_of(error)};
  } catch (const std::ios_base::failure&) {  // is a system_error, whose code names no cause
    return {.exit_code = kFailure, .message = "a file cannot be read or written"};
  } catch (const std::system_error& error) {  // a thread that cannot be started
    return {.exit_code = kFailure,
            .message = fmt::format("the system refuses: {}; try fewer --threads and --workers",
                                   error.code().message())};
  } catch (const std::exception& error) {
    return {.exit_code = kFailure, .message = text_of(error)};
  } catch (...) {
    return {.exit_code = kFailure,
            .message =
                "internal error, a fault of this program and not of yours; please report "
                "it together with the command line (not a std::exception)"};
  }
}

}  // namespace hanok::training
