#include "hanok/apps/cli/errors.h"

#include <cstdlib>
#include <cxxabi.h>
#include <exception>
#include <filesystem>
#include <fmt/format.h>
#include <ios>
#include <memory>
#include <new>
#include <stdexcept>
#include <system_error>
#include <typeinfo>

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

Failure current_failure() {
  try {
    throw;
  } catch (const UsageError& error) {
    return {.exit_code = kUsage, .message = error.what()};
  } catch (const NonFiniteLoss& error) {
    return {.exit_code = kNonFinite, .message = error.what()};
  } catch (const Error& error) {
    return {.exit_code = kFailure, .message = error.what()};
  } catch (const std::bad_alloc&) {
    return {.exit_code = kFailure,
            .message = "the system has no memory left; try a smaller --batch-size"};
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
