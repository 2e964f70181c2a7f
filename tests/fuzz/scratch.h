// Files for readers that take a path, and the rule for what a reader may do.
#pragma once

#include <string>

#include "hanok/kernels/base/error.h"
#include "tests/fuzz/byte_source.h"

namespace hanok::fuzz {

/// A folder of this process in memory (/dev/shm; the system's temporary folder where there is
/// none), made at the first call and removed at the end.
const std::string& scratch_folder();
/// Writes a file there, creating the folders of its name; returns its path.
std::string scratch_file(const std::string& name, const std::string& content);
inline std::string scratch_file(const std::string& name, Bytes content) {
  return scratch_file(name, text_of(content));
}

/// Throws std::logic_error, which no target catches, unless the message starts with `name`.
void check_names_file(const std::string& message, const std::string& name);

/// Runs a reader of the file `name`. It may throw an hanok::Error; a FormatError or IoError must
/// name the file, or one in the folder `name`.
template <typename Read>
void expect_refusal_or_result(const std::string& name, const Read& read) {
  try {
    read();
  } catch (const FormatError& error) {
    check_names_file(error.what(), name);
  } catch (const IoError& error) {
    check_names_file(error.what(), name);
  } catch (const Error&) {  // ValueError, UsageError: of what the file says, not of the file
  }
}

}  // namespace hanok::fuzz
