// Errors that end a program, each with its exit code.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/kernels/base/error.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// What the programs return to the shell.
enum ExitCode : int {
  kSuccess = 0,
  kFailure = 1,
  kUsage = 2,        // the command line requests something impossible
  kInterrupted = 3,  // ctrl-C or SIGTERM: everything is saved, --resume continues
  kNonFinite = 4,    // the loss became infinite or not a number
};

/// A command line or configuration that is invalid. The message says what to write instead.
class UsageError : public Error {
  using Error::Error;
};

/// The loss of a step is not finite. The message holds the batch's file names; nothing of the step
/// was committed.
class NonFiniteLoss : public Error {
  using Error::Error;
};

/// Throws UsageError unless the option's value lies in [low, high].
void require_between(const char* option, std::int64_t value, std::int64_t low, std::int64_t high);

/// That memory was refused, by hanok's own budget or by the system.
struct LackOfMemory {
  std::string message;
  bool of_system = false;
};
/// Only inside a catch block: what the exception that is being handled (OutOfMemory,
/// std::bad_alloc) says of memory. Rethrows any other exception.
LackOfMemory lack_of_memory();

/// What a program prints and returns after an exception.
struct Failure {
  int exit_code = kFailure;
  std::string message;
};
/// Only inside a catch block: of the exception that is being handled. What is not one of hanok's
/// own errors (std::filesystem::filesystem_error, std::bad_alloc, std::system_error, ...) is put
/// into words: no text of the standard library reaches the user as it is.
Failure current_failure();

}  // namespace hanok::training
#pragma GCC visibility pop
