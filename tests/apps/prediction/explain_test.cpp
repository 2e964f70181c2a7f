// explain: what it prints and draws for a run, and its errors.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <regex>

#include "hanok/apps/prediction/explain_command.h"
#include "hanok/apps/prediction/picture_text.h"
#include "hanok/data/image.h"
#include "tests/apps/trained_run.h"
#include "tests/support/recording_reporter.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

Outcome explain(const Arguments& arguments) { return run_program("explain", arguments); }

class Explain : public TrainedRun {
 protected:
  Explain() { fs::copy_file(folder_ / "photos/class1/photo03.png", folder_ / "strange.png"); }

  const Arguments run_ = {"--run", folder_ / "run"};
};

TEST_F(Explain, AStrangePhotographIsAnsweredByAllFolds) {
  const Outcome outcome =
      explain(run_ + Arguments{folder_ / "strange.png", "--out", folder_ / "why.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("strange.png: class1\n"));
  EXPECT_THAT(outcome.output, HasSubstr("of 2 folds say class1"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("\x1b")));  // a pipe shows no colours
  // The same photograph is in the data: it is the nearest of one fold, if that trained on it.
  EXPECT_THAT(outcome.output, HasSubstr("class1/photo"));
  const data::Image sheet = data::decode_image_file(folder_ / "why.png");
  EXPECT_GT(sheet.width, 800);
  EXPECT_GT(sheet.height, 400);
}

TEST_F(Explain, APhotographOfTheRunIsAnsweredByTheFoldThatHeldItOut) {
  for (const auto& row : read_plain_csv(folder_ / "run/predictions.csv")) {
    if (row[0] != "class2/photo05.png") continue;
    const Outcome outcome = explain(run_ + Arguments{folder_ / "photos/class2/photo05.png"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("photo05.png: " + row[2]));
    EXPECT_THAT(outcome.output, HasSubstr("answered by the fold that did not train on it"));
    // Its probability is that of the validation.
    EXPECT_THAT(outcome.output, HasSubstr(row[2] + " " + row[3].substr(0, 4)));
    // It is not its own neighbour.
    EXPECT_THAT(outcome.output, Not(HasSubstr(" class2/photo05.png\n")));
    return;
  }
  FAIL() << "no prediction";
}

TEST_F(Explain, WithoutTheRunsPhotographsTheRestRemains) {
  fs::rename(folder_ / "photos", folder_ / "gone");
  const Outcome outcome =
      explain(run_ + Arguments{folder_ / "strange.png", "--out", folder_ / "why.png"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("no nearest training photographs: "));
  EXPECT_TRUE(fs::exists(folder_ / "why.png"));
}

TEST_F(Explain, FollowsDataThatWereMoved) {
  fs::rename(folder_ / "photos", folder_ / "moved");
  const Arguments photo = {folder_ / "moved/class2/photo05.png"};
  const Outcome lost = explain(run_ + photo);
  EXPECT_EQ(lost.exit_code, 0) << lost.output;
  EXPECT_THAT(lost.output, HasSubstr("if they were moved, add --data FOLDER"));
  EXPECT_THAT(lost.output, Not(HasSubstr("a photograph of the run")));
  const Outcome found = explain(run_ + photo + Arguments{"--data", folder_ / "moved"});
  EXPECT_EQ(found.exit_code, 0) << found.output;
  EXPECT_THAT(found.output, HasSubstr("answered by the fold that did not train on it"));
  EXPECT_THAT(found.output, HasSubstr("nearest training photographs:"));
}

/// True if a line of nearest photographs names `path`.
bool has_neighbour(const std::string& output, const std::string& path) {
  return output.find(" " + path + "\n") != std::string::npos;
}

TEST_F(Explain, OfARunWithRepeatsOneFoldOfEachAnswers) {
  train("repeated", {"--folds", "3", "--repeats", "2"});
  const Outcome outcome =
      explain({folder_ / "photos/class0/photo02.png", "--run", folder_ / "repeated"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("answered by the 2 folds that did not train on it: "));
  EXPECT_THAT(outcome.output, HasSubstr(" of 2 folds say "));
  EXPECT_FALSE(has_neighbour(outcome.output, "class0/photo02.png")) << outcome.output;
  // The printed probability is the mean of those of the two folds' validations.
  std::map<std::string, double> sums;
  int rows = 0;
  for (int fold = 0; fold < 6; ++fold) {
    const auto table =
        read_plain_csv(folder_ / ("repeated/fold_" + std::to_string(fold) + "/predictions.csv"));
    for (const auto& row : table) {
      if (row[0] != "class0/photo02.png") continue;
      ++rows;
      for (std::size_t c = 0; c < 3; ++c)
        sums["class" + std::to_string(c)] += std::stod(row[5 + c]);
    }
  }
  EXPECT_EQ(rows, 2);
  for (const auto& [name, sum] : sums) {
    std::smatch found;
    ASSERT_TRUE(std::regex_search(outcome.output, found, std::regex("\n  " + name + " ([0-9.]+)")));
    EXPECT_NEAR(std::stod(found[1]), sum / 2, 6e-4) << name;
  }
}

TEST_F(Explain, APhotographThatEveryNetworkTrainedOnIsNamedAsSuch) {
  train("one", {"--folds", "2", "--fold", "0"});
  for (const auto& row : read_plain_csv(folder_ / "one/folds.csv")) {
    if (row[3] != "1") continue;
    const Outcome outcome = explain({folder_ / ("photos/" + row[0]), "--run", folder_ / "one"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("the network trained on it, so the answer says little"));
    EXPECT_FALSE(has_neighbour(outcome.output, row[0])) << outcome.output;
    return;
  }
  FAIL() << "no photograph in fold 1";
}

TEST_F(Explain, AColorTerminalShowsThePhotographAndItsMap) {
  RecordingReporter reporter;
  const std::string photo = folder_ / "strange.png", run = folder_ / "run";
  const auto text_with = [&](training::TextColors colors) {
    std::vector<const char*> arguments = {"explain",   photo.c_str(),  "--run",
                                          run.c_str(), "--neighbours", "0"};
    reporter.text.clear();
    reporter.shown_colors = colors;
    EXPECT_EQ(
        training::explain_command({static_cast<int>(arguments.size()), arguments.data()}, reporter),
        0);
    return reporter.text;
  };
  const std::string colorful = text_with(training::TextColors::All);
  EXPECT_THAT(colorful, HasSubstr("\n  \x1b[38;2;"));
  EXPECT_THAT(colorful, HasSubstr("on the right Grad-CAM: "));
  const std::size_t first = colorful.find("  \x1b[38;2;");
  const std::string line = colorful.substr(first, colorful.find('\n', first) - first);
  std::size_t blocks = 0;
  for (std::size_t at = line.find("\u2580"); at != std::string::npos; ++blocks) {
    at = line.find("\u2580", at + 1);
  }
  EXPECT_GE(blocks, 36U);  // two pictures in a terminal of 40 columns or more
  EXPECT_LE(blocks, 80U);
  EXPECT_THAT(text_with(training::TextColors::Palette256), HasSubstr("\n  \x1b[38;5;"));
  const std::string plain = text_with(training::TextColors::None);
  EXPECT_THAT(plain, Not(HasSubstr("\x1b")));
  EXPECT_THAT(plain, Not(HasSubstr("Grad-CAM")));
}

TEST_F(Explain, SaysWhatIsWrong) {
  const auto expect = [&](const Arguments& arguments, int code, const std::string& text) {
    const Outcome outcome = explain(arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  const std::string photo = folder_ / "strange.png";
  expect({photo}, 2, "--run RUN or --checkpoint FILE");
  expect(run_, 2, "IMAGE: missing");
  expect({photo, "--run", folder_ / "nowhere"}, 2, "no such folder");
  expect(run_ + Arguments{folder_ / "missing.png"}, 1, "cannot be read");
  expect(run_ + Arguments{photo, "--out", folder_ / "why.jpg"}, 2, "must end in .png");
  expect(run_ + Arguments{photo, "--out", photo}, 2, "would replace it");
  expect(run_ + Arguments{photo, "--out", folder_ / "photos/class0/photo00.png"}, 2,
         "would replace it");
  expect(run_ + Arguments{photo, "--neighbours", "7"}, 2, "--neighbours");
  expect(run_ + Arguments{photo, "--data", folder_ / "nowhere"}, 1, "nowhere: no such folder");
  fs::create_directories(folder_ / "empty");
  expect(run_ + Arguments{photo, "--data", folder_ / "empty"}, 1, "none of the run's 36");
  expect({photo, "--checkpoint", folder_ / "run/fold_0/best.safetensors", "--data", folder_.path()},
         2, "--data: says where the photographs of --run RUN are");
}

// ---- letters ----

/// Rows of '#' and '.' of a one-line picture.
std::string dots_of(const std::string& text) {
  data::Image picture = training::plain_picture(6, 7, {255, 255, 255});
  training::write_text(picture, text, 0, 0, {.scale = 1});
  std::string dots;
  for (int y = 0; y < 7; ++y) {
    for (int x = 0; x < 5; ++x) dots += picture.row(y)[3 * x] == 0 ? '#' : '.';
    dots += '\n';
  }
  return dots;
}

TEST(PictureText, LettersAreDrawnUpright) {
  EXPECT_EQ(dots_of("F"), "#####\n#....\n#....\n####.\n#....\n#....\n#....\n");
}

TEST(PictureText, ACharacterBeyondAsciiIsOneQuestionMark) {
  EXPECT_EQ(dots_of("\xED\x95\x9C"), dots_of("?"));
  const training::TextStyle style = {.scale = 1};
  EXPECT_EQ(training::fitting_text("a\xC3\xA9z", 60, style, training::KeepPart::Beginning), "a?z");
}

TEST(PictureText, LongTextKeepsTheAskedPart) {
  const training::TextStyle style = {.scale = 1};
  EXPECT_EQ(training::fitting_text("abcdefgh", 36, style, training::KeepPart::Beginning), "abcd..");
  EXPECT_EQ(training::fitting_text("abcdefgh", 36, style, training::KeepPart::End), "..efgh");
}

TEST(PictureText, PaintsNothingBesideThePicture) {
  data::Image picture = training::plain_picture(3, 3, {1, 2, 3});
  const data::Image image = training::plain_picture(2, 2, {9, 9, 9});
  training::paste(picture, image, -1, -1);
  training::paste(picture, image, 2, 2);
  training::paste(picture, image, 7, 0);
  training::fill_rectangle(picture, {-5, 1, 6, 1}, {7, 7, 7});
  EXPECT_EQ(picture.row(0)[0], 9);
  EXPECT_EQ(picture.row(0)[3], 1);
  EXPECT_EQ(picture.row(1)[0], 7);
  EXPECT_EQ(picture.row(2)[6], 9);
}

}  // namespace
}  // namespace hanok::test
