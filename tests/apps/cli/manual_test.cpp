// Manual pages and completion say what --help says, and bash and man can read them.
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

#include "tests/apps/program.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsSupersetOf;

const char* const kPrograms[] = {"finetune", "predict", "convert", "evaluate", "inspect", "report"};

/// All "--words" of a text; the manual writes its hyphens with a backslash.
std::set<std::string> options_in(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || text.compare(i, 2, "\\-") != 0) plain += text[i];
  }
  std::set<std::string> options;
  for (std::size_t at = plain.find("--"); at != std::string::npos; at = plain.find("--", at + 2)) {
    const std::size_t end = plain.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    if (end > at + 2) options.insert(plain.substr(at, end - at));
  }
  return options;
}

/// What bash offers after `words`, the last of which is being typed.
std::string offered(const std::string& script, const std::string& program,
                    const std::vector<std::string>& words, const TemporaryFolder& folder) {
  std::string line = "source \"" + script + "\"; COMP_WORDS=(" + program;
  for (const std::string& word : words) line += " '" + word + "'";
  line += "); COMP_CWORD=" + std::to_string(words.size()) + "; _hanok_" + program +
          "; echo \"${COMPREPLY[@]}\"";
  write_text(folder / "ask.sh", line);
  const std::string command =
      "bash \"" + (folder / "ask.sh") + "\" > \"" + (folder / "offers") + "\" 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);  // NOLINT(concurrency-mt-unsafe)
  return read_text(folder / "offers");
}

TEST(Manual, PagesAndCompletionHaveTheOptionsOfHelp) {
  for (const char* program : kPrograms) {
    const std::set<std::string> help = options_in(run_program(program, {"--help"}).output);
    const Outcome page = run_program(program, {"--man"});
    const Outcome completion = run_program(program, {"--completion", "bash"});
    EXPECT_EQ(page.exit_code, 0) << program;
    EXPECT_EQ(completion.exit_code, 0) << program;
    EXPECT_GT(help.size(), 2U);
    EXPECT_THAT(options_in(page.output), IsSupersetOf(help)) << program;
    EXPECT_THAT(options_in(completion.output), IsSupersetOf({"--help", "--man"})) << program;
    EXPECT_EQ(page.output.rfind(".TH ", 0), 0U) << program;
  }
  EXPECT_THAT(options_in(finetune({"--completion", "bash"}).output),
              IsSupersetOf(options_in(finetune({"--help"}).output)));
}

TEST(Manual, BashCompletesOptionsAndTheirChoices) {
  const TemporaryFolder folder;
  for (const char* program : {"finetune", "inspect"}) {
    write_text(folder / program, run_program(program, {"--completion", "bash"}).output);
  }
  const std::string finetune_script = folder / "finetune";
  EXPECT_EQ(offered(finetune_script, "finetune", {"--label-s"}, folder), "--label-smoothing\n");
  EXPECT_EQ(offered(finetune_script, "finetune", {"--data", "x", "--layout", "c"}, folder),
            "competition csv\n");
  EXPECT_EQ(offered(finetune_script, "finetune", {"--augment", "st"}, folder), "strong\n");
  EXPECT_EQ(offered(finetune_script, "finetune", {"--augment", folder / "insp"}, folder),
            (folder / "inspect") + "\n");
  EXPECT_EQ(offered(finetune_script, "finetune", {"--epochs", ""}, folder), "\n");
  EXPECT_EQ(offered(finetune_script, "finetune", {"--resume", (folder / "fine")}, folder), "\n");
  EXPECT_EQ(offered(folder / "inspect", "inspect", {"mo"}, folder), "model\n");
  EXPECT_THAT(offered(folder / "inspect", "inspect", {"model", "--"}, folder),
              HasSubstr("--image-size"));
}

TEST(Manual, OtherShellsAreRefused) {
  const Outcome outcome = finetune({"--completion", "fish"});
  EXPECT_EQ(outcome.exit_code, 2);
  EXPECT_THAT(outcome.output, HasSubstr("bash"));
}

}  // namespace
}  // namespace hanok::test
