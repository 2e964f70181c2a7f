// --help fits the terminal, --version says what runs, and output that cannot be written is an
// error.
#include "hanok/apps/cli/help.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hanok/version.h>
#include <sstream>
#include <sys/wait.h>

#include "tests/apps/program.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Arguments = std::vector<std::string>;

const char* const kPrograms[] = {"finetune", "predict", "convert", "evaluate", "inspect", "report"};

/// The programs, and the commands of inspect.
std::vector<std::string> helps() {
  std::vector<std::string> all(std::begin(kPrograms), std::end(kPrograms));
  for (const char* command : {"data", "model", "weights", "devices", "augment", "transforms"}) {
    all.push_back(std::string("inspect ") + command);
  }
  return all;
}

struct Ran {
  int exit_code = -1;  // 128 + signal, as the shell has it
  std::string errors;  // what came on stderr
};

/// A shell command in the folder of the programs, after `environment`.
Ran in_shell(const std::string& command) {
  const TemporaryFolder folder;
  const std::string line =
      fmt::format("cd \"{}/bin\" && bash -c '{}' 2> \"{}\"", binary_dir(), command, folder / "err");
  const int status = std::system(line.c_str());  // NOLINT(concurrency-mt-unsafe)
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .errors = read_text(folder / "err")};
}

std::string output_of(const std::string& command) {
  const TemporaryFolder folder;
  const Ran ran = in_shell(fmt::format("{} > \"{}\"", command, folder / "out"));
  EXPECT_EQ(ran.exit_code, 0) << command << "\n" << ran.errors;
  return read_text(folder / "out");
}

/// The words of a text; a list with '|' may be broken behind each.
std::string without_blanks(std::string text) {
  text.erase(std::remove_if(text.begin(), text.end(), [](char c) { return c == ' ' || c == '\n'; }),
             text.end());
  return text;
}

TEST(Help, HasNoLineWiderThanTheTerminal) {
  for (const std::string& program : helps()) {
    const std::string widest = output_of(fmt::format("COLUMNS=120 ./{} --help", program));
    for (const std::size_t columns : {40U, 64U, 80U, 100U, 120U}) {
      const std::string help = output_of(fmt::format("COLUMNS={} ./{} --help", columns, program));
      for (const std::string& line : lines_of(help)) {
        EXPECT_LE(line.size(), columns) << program << ": " << line;
        EXPECT_TRUE(line.empty() || line.back() != ' ') << program << ": " << line;
      }
      EXPECT_EQ(without_blanks(help), without_blanks(widest)) << program << " " << columns;
    }
  }
}

TEST(Help, IsEightyColumnsWideWithoutATerminal) {
  const std::string eighty = output_of("COLUMNS=80 ./finetune --help");
  EXPECT_EQ(output_of("env -u COLUMNS ./finetune --help"), eighty);
  for (const char* nonsense : {"", "0", "-3", "wide", "80x"}) {
    EXPECT_EQ(output_of(fmt::format("COLUMNS={} ./finetune --help", nonsense)), eighty) << nonsense;
  }
  // Narrower than 40 columns no terminal is taken to be, and wider than 120 no line is read.
  EXPECT_EQ(output_of("COLUMNS=3 ./finetune --help"), output_of("COLUMNS=40 ./finetune --help"));
  EXPECT_EQ(output_of("COLUMNS=999 ./finetune --help"), output_of("COLUMNS=120 ./finetune --help"));
}

TEST(Help, KeepsExamplesAndCommandsOnLinesOfTheirOwn) {
  const std::string model = output_of("COLUMNS=120 ./inspect model --help");
  EXPECT_THAT(model, HasSubstr("\nExample: inspect model resnet18 --classes 18\nExample: "));
  EXPECT_THAT(output_of("COLUMNS=120 ./evaluate --help"),
              HasSubstr("\n  evaluate --run RUN --data test/\n  evaluate --checkpoint "));
}

TEST(Help, TakesTheTerminalsWidth) {
  // script(1) gives the program a terminal, stty its width.
  const std::string ran =
      output_of("script -qec \"stty cols 57; env -u COLUMNS ./evaluate --help\" /dev/null");
  std::size_t longest = 0;
  std::istringstream lines(ran);
  for (std::string line; std::getline(lines, line);) {
    while (!line.empty() && line.back() == '\r') line.pop_back();
    longest = std::max(longest, line.size());
  }
  EXPECT_LE(longest, 57U);
  EXPECT_GT(longest, 50U);
}

TEST(Wrapped, BreaksAtBlanksAndBehindBars) {
  using training::wrapped;
  EXPECT_EQ(wrapped("one two three", 9, 2), "one two\n  three");
  EXPECT_EQ(wrapped("one two", 7, 0), "one two");
  EXPECT_EQ(wrapped("a|bb|ccc", 5, 1), "a|bb|\n ccc");
  EXPECT_EQ(wrapped("unbreakable", 5, 0), "unbreakable");
  EXPECT_EQ(wrapped("  kept  gap", 40, 0), "  kept  gap");
  EXPECT_EQ(wrapped("", 5, 0), "");
  EXPECT_EQ(wrapped("a b\n\nc\n", 2, 0), "a\nb\n\nc\n");
}

TEST(Version, IsPrintedByEveryProgram) {
  for (const char* program : kPrograms) {
    const Outcome outcome = run_program(program, {"--version"});
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_THAT(outcome.output, HasSubstr(std::string(program) + " of hanok " + kVersion + "\n"));
    EXPECT_THAT(outcome.output, ContainsRegex("compiler: (g\\+\\+|clang) [0-9]+\\.[0-9]+"));
    EXPECT_THAT(outcome.output, ContainsRegex("CUDA: (yes|no)"));
    EXPECT_THAT(outcome.output, ContainsRegex("CPU kernels: (portable|avx2)"));
  }
  EXPECT_THAT(output_of("HANOK_ISA=portable ./predict --version"),
              HasSubstr("CPU kernels: portable"));
}

TEST(Output, ThatCannotBeWrittenIsAnError) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos", {.members = 4});
  const std::string photos = folder / "photos";
  const std::string train = fmt::format(
      "./finetune --data {} --model lenet --weights none --image-size 32 --folds 2 "
      "--fold 0 --max-steps 1 ",
      photos);
  std::vector<std::string> commands = {
      "./inspect devices",
      "./inspect transforms",
      "./inspect model lenet --image-size 32",
      "./inspect data " + photos,
      "./convert --list",
      "./finetune --print-config",
      train + "--dry-run",
      train + "--out " + (folder / "full"),
  };
  for (const std::string& program : helps()) commands.push_back("./" + program + " --help");
  for (const char* program : kPrograms) {
    for (const char* option : {"--version", "--man", "--completion bash"}) {
      commands.push_back(fmt::format("./{} {}", program, option));
    }
  }
  for (const std::string& command : commands) {
    const Ran full = in_shell(command + " > /dev/full");
    EXPECT_EQ(full.exit_code, 1) << command;
    EXPECT_THAT(full.errors, HasSubstr("standard output: No space left on device\n")) << command;
    const Ran closed = in_shell(command + " >&-");
    EXPECT_EQ(closed.exit_code, 1) << command;
    EXPECT_THAT(closed.errors, HasSubstr("standard output: Bad file descriptor\n")) << command;
  }
}

TEST(Output, AClosedOneIsNotTakenByAFileOfTheProgram) {
  const TemporaryFolder folder;
  draw_photos(folder / "photos", {.members = 4});
  const Ran ran = in_shell(fmt::format(
      "./finetune --data {} --model lenet --weights none --image-size 32 --folds 2 --fold 0 "
      "--max-steps 1 --out {} <&- >&-",
      folder / "photos", folder / "run"));
  EXPECT_EQ(ran.exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(folder / "run/config.toml"));
}

TEST(Output, ErrorsThatCannotBePrintedKeepTheirExitCode) {
  EXPECT_EQ(in_shell("./finetune --lr fast 2> /dev/full").exit_code, 2);
  EXPECT_EQ(in_shell("./finetune --lr fast 2>&-").exit_code, 2);
}

TEST(Output, AReaderThatHasSeenEnoughIsNoError) {
  const Ran ran = in_shell("./inspect transforms | head -1 > /dev/null");
  EXPECT_EQ(ran.exit_code, 0);
  EXPECT_THAT(ran.errors, IsEmpty());
  // The program ends by the system's signal, without a word, as others do.
  const Ran writer = in_shell("./finetune --man | true; exit ${PIPESTATUS[0]}");
  EXPECT_THAT(writer.exit_code, ::testing::AnyOf(0, 141));
  EXPECT_THAT(writer.errors, IsEmpty());
}

}  // namespace
}  // namespace hanok::test
