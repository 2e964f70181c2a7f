// Whatever is thrown ends a program with words that a user can act on.
#include "hanok/apps/cli/errors.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <ios>
#include <new>
#include <stdexcept>
#include <system_error>
#include <vector>

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

template <typename Action>
training::Failure failure_of(const Action& action) {
  try {
    action();
  } catch (...) {
    return training::current_failure();
  }
  return {};
}

TEST(CurrentFailure, KeepsHanoksOwnTexts) {
  EXPECT_EQ(failure_of([] { throw training::UsageError("--lr: no"); }).exit_code, training::kUsage);
  EXPECT_EQ(failure_of([] { throw training::NonFiniteLoss("nan"); }).exit_code,
            training::kNonFinite);
  EXPECT_EQ(failure_of([] { throw IoError("a.png: gone"); }).message, "a.png: gone");
}

TEST(CurrentFailure, NamesFileAndCauseOfAFileSystemsError) {
  const training::Failure failure =
      failure_of([] { (void)std::filesystem::file_size("/no/such/file"); });
  EXPECT_EQ(failure.exit_code, training::kFailure);
  EXPECT_EQ(failure.message, "/no/such/file: No such file or directory");
}

TEST(CurrentFailure, PutsTheStandardLibrarysErrorsIntoWords) {
  EXPECT_THAT(failure_of([] { throw std::bad_alloc(); }).message, HasSubstr("memory"));
  EXPECT_THAT(failure_of([] { std::vector<int>().reserve(~std::size_t{0}); }).message,
              AllOf(HasSubstr("memory"), Not(HasSubstr("vector::reserve"))));
  EXPECT_THAT(
      failure_of([] {
        throw std::system_error(std::make_error_code(std::errc::resource_unavailable_try_again));
      }).message,
      AllOf(HasSubstr("Resource temporarily unavailable"), HasSubstr("--threads")));
  EXPECT_THAT(failure_of([] { throw std::ios_base::failure("basic_filebuf::underflow"); }).message,
              Not(HasSubstr("basic_filebuf")));
}

TEST(CurrentFailure, CallsAFaultOfTheProgramAFaultOfTheProgram) {
  const training::Failure failure = failure_of([] { (void)std::stoi("x"); });
  EXPECT_EQ(failure.exit_code, training::kFailure);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("internal error"), HasSubstr("report it"),
                                     HasSubstr("std::invalid_argument")));
  EXPECT_THAT(failure_of([] { throw 7; }).message, HasSubstr("internal error"));
}

}  // namespace
}  // namespace hanok::test
