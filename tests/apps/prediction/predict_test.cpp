// predict: from runs, checkpoints and bare weights; for folders, files and a CSV.
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "hanok/data/image.h"
#include "hanok/data/transforms.h"
#include "hanok/engine/autograd.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/weights.h"
#include "tests/apps/trained_run.h"
#include "tests/support/paths.h"

namespace hanok::test {
namespace {

using ::testing::HasSubstr;
using Arguments = std::vector<std::string>;
using Table = std::vector<std::vector<std::string>>;

class Predict : public TrainedRun {
 protected:
  Table ask(const Arguments& arguments) {
    const Outcome outcome = predict(arguments + Arguments{"--out", folder_ / "answers.csv"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return read_plain_csv(folder_ / "answers.csv");
  }
};

TEST_F(Predict, AFolderGivesPathLabelAndProbability) {
  const Table table = ask({"--run", folder_ / "run", "--images", folder_ / "photos"});
  ASSERT_EQ(table.size(), 37U);
  EXPECT_EQ(table[0], (std::vector<std::string>{"path", "label", "probability"}));
  int right = 0;
  for (std::size_t i = 1; i < table.size(); ++i) {
    EXPECT_GT(std::stod(table[i][2]), 1.0 / 3.0 - 1e-6);
    right += table[i][0].find("/" + table[i][1] + "/") != std::string::npos ? 1 : 0;
  }
  EXPECT_GE(right, 30);  // the tint is easy to learn
}

TEST_F(Predict, ARunAveragesItsFoldsProbabilities) {
  const Arguments images = {"--images", folder_ / "photos", "--probabilities"};
  const Table both = ask(Arguments{"--run", folder_ / "run"} + images);
  const Table first =
      ask(Arguments{"--checkpoint", folder_ / "run/fold_0/best.safetensors"} + images);
  const Table second =
      ask(Arguments{"--checkpoint", folder_ / "run/fold_1/best.safetensors"} + images);
  EXPECT_EQ(both[0], (std::vector<std::string>{"path", "label", "probability", "class0", "class1",
                                               "class2"}));
  ASSERT_EQ(both.size(), 37U);
  for (std::size_t i = 1; i < both.size(); ++i) {
    double sum = 0;
    for (std::size_t c = 3; c < 6; ++c) {
      const double mean = (std::stod(first[i][c]) + std::stod(second[i][c])) / 2;
      EXPECT_NEAR(std::stod(both[i][c]), mean, 2e-6);
      sum += std::stod(both[i][c]);
    }
    EXPECT_NEAR(sum, 1, 5e-6);
  }
}

TEST_F(Predict, PredictsWhatTheValidationDid) {
  const Table table = ask({"--checkpoint", folder_ / "run/fold_0/best.safetensors", "--images",
                           folder_ / "photos", "--probabilities"});
  std::map<std::string, std::vector<std::string>> answers;
  for (std::size_t i = 1; i < table.size(); ++i) {
    answers[table[i][0].substr((folder_ / "photos/").size())] = table[i];
  }
  int compared = 0;
  for (const auto& row : read_plain_csv(folder_ / "run/fold_0/predictions.csv")) {
    if (row[0] == "path") continue;
    const auto& answer = answers.at(row[0]);
    EXPECT_EQ(answer[1], row[2]);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(std::stod(answer[3 + c]), std::stod(row[5 + c]), 2e-6);
    }
    ++compared;
  }
  EXPECT_EQ(compared, 18);
}

TEST_F(Predict, LogitsGiveTheProbabilities) {
  const Table table = ask({"--checkpoint", folder_ / "run/fold_1/best.safetensors", "--images",
                           folder_ / "photos/class2", "--probabilities", "--logits"});
  EXPECT_EQ(table[0][6], "logit:class0");
  ASSERT_EQ(table.size(), 13U);
  for (std::size_t i = 1; i < table.size(); ++i) {
    double sum = 0;
    for (std::size_t c = 6; c < 9; ++c) sum += std::exp(std::stod(table[i][c]));
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(std::exp(std::stod(table[i][6 + c])) / sum, std::stod(table[i][3 + c]), 2e-6);
    }
  }
}

TEST_F(Predict, FilesKeepTheirOrder) {
  const std::string b = folder_ / "photos/class1/photo03.png";
  const std::string a = folder_ / "photos/class0/photo05.png";
  const Table table = ask({"--run", folder_ / "run", "--images", b, a});
  ASSERT_EQ(table.size(), 3U);
  EXPECT_EQ(table[1][0], b);
  EXPECT_EQ(table[2][0], a);
}

TEST_F(Predict, ACsvGivesTheSubmissionInItsOrder) {
  std::filesystem::create_directories(folder_ / "eval/images");
  const std::vector<std::pair<std::string, std::string>> files = {{"zz.png", "class1/photo00.png"},
                                                                  {"aa.png", "class0/photo01.png"},
                                                                  {"mm.png", "class2/photo02.png"}};
  std::string csv = "ImageID,ans\n";
  for (const auto& [id, source] : files) {
    std::filesystem::copy_file(folder_ / ("photos/" + source), folder_ / ("eval/images/" + id));
    csv += id + ",0\n";
  }
  write_text(folder_ / "eval/info.csv", csv);
  const Table submission = ask({"--run", folder_ / "run", "--images", folder_ / "eval/info.csv"});
  ASSERT_EQ(submission.size(), 4U);
  EXPECT_EQ(submission[0], (std::vector<std::string>{"ImageID", "ans"}));
  const Table plain = ask({"--run", folder_ / "run", "--images", folder_ / "eval/images"});
  std::map<std::string, std::string> label_of;
  for (const auto& row : plain) label_of[row[0].substr(row[0].rfind('/') + 1)] = row[1];
  for (std::size_t i = 0; i < files.size(); ++i) {
    EXPECT_EQ(submission[i + 1][0], files[i].first);
    EXPECT_EQ("class" + submission[i + 1][1], label_of.at(files[i].first));
  }
}

TEST_F(Predict, AMovedRunWorks) {
  const Table before = ask({"--run", folder_ / "run", "--images", folder_ / "photos"});
  std::filesystem::rename(folder_ / "run", folder_ / "elsewhere");
  EXPECT_EQ(ask({"--run", folder_ / "elsewhere", "--images", folder_ / "photos"}), before);
}

TEST_F(Predict, BareWeightsUseImageNetsPreprocessing) {
  const auto model = nn::make_model("resnet18", 4, 224);
  weights::save_safetensors(folder_ / "bare.safetensors", model->state_dict());
  PhotoOptions large;
  large.classes = 1;
  large.members = 1;
  large.size = 300;
  draw_photos(folder_ / "large", large);
  const std::string file = folder_ / "large/class0/photo00.png";
  const Table table = ask({"--model", "resnet18", "--weights", folder_ / "bare.safetensors",
                           "--images", file, "--logits"});
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table[0][3], "logit:0");

  // The same by hand: shorter side to 256, centre 224, (x/255 - mean) / stddev.
  const data::Image image =
      data::center_crop(data::resize_shorter_side(data::decode_image_file(file), 256), 224, 224);
  const double mean[3] = {0.485, 0.456, 0.406};
  const double stddev[3] = {0.229, 0.224, 0.225};
  std::vector<float> input;
  for (int c = 0; c < 3; ++c) {
    for (int p = 0; p < 224 * 224; ++p) {
      const double value = image.pixels[static_cast<std::size_t>(3 * p + c)] / 255.0;
      input.push_back(static_cast<float>((value - mean[c]) / stddev[c]));
    }
  }
  const NoGrad no_grad;
  model->eval();
  const std::vector<float> logits =
      (*model)(Tensor::from_vector(input, {1, 3, 224, 224})).to_vector();
  for (std::size_t c = 0; c < 4; ++c) {
    EXPECT_NEAR(std::stod(table[1][3 + c]), logits[c], 1e-4 * (1 + std::abs(logits[c])));
  }
}

TEST_F(Predict, SaysWhatIsWrong) {
  const std::string out = folder_ / "x.csv";
  const auto expect = [&](const Arguments& arguments, int code, const std::string& text) {
    const Outcome outcome = predict(arguments + Arguments{"--out", out});
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  const Arguments images = {"--images", folder_ / "photos"};
  expect(images, 2, "--run RUN, --checkpoint FILE");
  expect(Arguments{"--run", folder_ / "photos"} + images, 2, "best.safetensors");
  expect(Arguments{"--run", folder_ / "run"}, 2, "--images");
  expect({"--run", folder_ / "run", "--images", folder_ / "nowhere"}, 1, "nowhere");
  expect(Arguments{"--weights", folder_ / "run/fold_0/best.safetensors"} + images, 2, "--model");
  expect(Arguments{"--checkpoint", folder_ / "run/config.toml"} + images, 1, "config.toml");
  expect(
      Arguments{"--model", "lenet", "--weights", folder_ / "run/fold_0/best.safetensors"} + images,
      2, "give it as --checkpoint");
  nn::StateDict bare;
  bare.insert("fc.weight", Tensor::zeros({2, 2}));
  weights::save_safetensors(folder_ / "bare.safetensors", bare);
  expect(Arguments{"--checkpoint", folder_ / "bare.safetensors"} + images, 1, "not a checkpoint");
  write_text(folder_ / "broken.png", "nothing");
  expect({"--run", folder_ / "run", "--images", folder_ / "broken.png", folder_ / "none.png"}, 1,
         "2 of 2 images cannot be read");
}

TEST_F(Predict, AnUnreadableImageHasARowThatSaysWhy) {
  const std::string good = folder_ / "photos/class0/photo01.png";
  const std::string page = folder_ / "page.jpg";
  const std::string pointer = folder_ / "pointer.png";
  const std::string missing = folder_ / "missing.jpg";
  write_text(page, "<!DOCTYPE html><html>404</html>");
  write_text(pointer, "version https://git-lfs.github.com/spec/v1\noid sha256:12\nsize 3\n");
  const Arguments arguments = {"--run", folder_ / "run", "--images",        page,      good,
                               missing, pointer,         "--probabilities", "--logits"};
  const std::string out = folder_ / "answers.csv";
  const Outcome outcome = predict(arguments + Arguments{"--out", out});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("3 of 4 images cannot be read"));
  EXPECT_THAT(outcome.output, HasSubstr(missing + ": no such file"));
  EXPECT_THAT(outcome.output, HasSubstr("--allow-bad"));
  const Table table = read_plain_csv(out);
  ASSERT_EQ(table.size(), 5U);
  ASSERT_EQ(table[0].size(), 10U);
  EXPECT_EQ(table[0].back(), "error");
  const std::vector<std::pair<std::string, std::string>> rows = {{page, "an HTML page"},
                                                                 {good, ""},
                                                                 {missing, "no such file"},
                                                                 {pointer, "a Git LFS pointer"}};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<std::string>& row = table[i + 1];
    const bool good_one = rows[i].second.empty();
    ASSERT_EQ(row.size(), good_one ? 9U : 10U) << i;  // the reader drops a last empty field
    EXPECT_EQ(row[0], rows[i].first);
    EXPECT_EQ(row[1].empty(), !good_one);
    if (!good_one) {
      EXPECT_THAT(row[9], ::testing::StartsWith(rows[i].second));
    }
  }
  // The readable image's fields are those of a table without unreadable ones.
  const Table alone =
      ask({"--run", folder_ / "run", "--images", good, "--probabilities", "--logits"});
  EXPECT_EQ(alone[0].size(), 9U);
  EXPECT_TRUE(std::equal(alone[1].begin(), alone[1].end(), table[2].begin()));

  const Outcome accepted = predict(arguments + Arguments{"--out", out, "--allow-bad"});
  EXPECT_EQ(accepted.exit_code, 0) << accepted.output;
  EXPECT_THAT(accepted.output, HasSubstr("warning: 3 of 4 images cannot be read"));
  EXPECT_EQ(read_plain_csv(out), table);
}

TEST_F(Predict, ASubmissionNeedsAllImages) {
  std::filesystem::create_directories(folder_ / "eval");
  write_text(folder_ / "eval/info.csv", "ImageID\nnone.png\n");
  const Outcome outcome = predict({"--run", folder_ / "run", "--images", folder_ / "eval/info.csv",
                                   "--out", folder_ / "x.csv", "--allow-bad"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("1 of 1 images cannot be read, and a submission needs"));
  EXPECT_THAT(outcome.output, HasSubstr("none.png: no such file"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "x.csv"));
}

TEST_F(Predict, NamesWhatItSkipsInAFolderAndFollowsLinks) {
  namespace fs = std::filesystem;
  fs::create_directories(folder_ / "new");
  fs::copy_file(folder_ / "photos/class0/photo00.png", folder_ / "new/a.webp");  // by its content
  write_text(folder_ / "new/b.HEIC", "x");
  write_text(folder_ / "new/c.HEIC", "x");
  write_text(folder_ / "new/notes.txt", "x");
  fs::create_directory_symlink("../photos/class1", folder_ / "new/linked");
  const Outcome outcome =
      predict({"--run", folder_ / "run", "--images", folder_ / "new", "--out", folder_ / "x.csv"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("skipped: 2 x extension .heic (HEIC, which is not read"));
  EXPECT_THAT(outcome.output, HasSubstr("skipped: 1 x extension .txt"));
  const Table table = read_plain_csv(folder_ / "x.csv");
  ASSERT_EQ(table.size(), 14U);
  EXPECT_EQ(table[1][0], folder_ / "new/a.webp");
  EXPECT_EQ(table[2][0], folder_ / "new/linked/photo00.png");
  fs::create_directories(folder_ / "empty");
  const Outcome with_empty = predict({"--run", folder_ / "run", "--images", folder_ / "empty",
                                      folder_ / "new", "--out", folder_ / "x.csv"});
  EXPECT_EQ(with_empty.exit_code, 0);
  EXPECT_THAT(with_empty.output, HasSubstr("warning: " + (folder_ / "empty") + ": no image"));
  fs::remove_all(folder_ / "new/linked");
  fs::remove(folder_ / "new/a.webp");
  const Outcome none =
      predict({"--run", folder_ / "run", "--images", folder_ / "new", "--out", folder_ / "x.csv"});
  EXPECT_EQ(none.exit_code, 1);
  EXPECT_THAT(none.output, HasSubstr("no images (JPEG"));
  EXPECT_THAT(none.output, HasSubstr("2 x extension .heic"));
}

TEST_F(Predict, WarnsOfFilesGivenTwice) {
  const std::string file = folder_ / "photos/class0/photo03.png";
  std::filesystem::create_symlink(file, folder_ / "link.png");
  const Outcome outcome =
      predict({"--run", folder_ / "run", "--images", file, folder_ / "photos/class0",
               folder_ / "photos/class1/../class0/photo04.png", folder_ / "link.png", "--out",
               folder_ / "x.csv"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("warning: 3 images are given more than once"));
  EXPECT_EQ(read_plain_csv(folder_ / "x.csv").size(), 16U);
}

TEST_F(Predict, ReplacesNoFileThatItReads) {
  namespace fs = std::filesystem;
  const std::string image = folder_ / "photos/class0/photo00.png";
  fs::copy_file(folder_ / "photos/class0/photo00.png", folder_ / "photos/one.png");
  write_text(folder_ / "photos/info.csv", "ImageID\none.png\n");
  fs::create_symlink(image, folder_ / "link.csv");
  const std::string checkpoint = folder_ / "run/fold_0/best.safetensors";
  const auto refuse = [&](const Arguments& images, const std::string& out) {
    const std::string before = read_text(out);
    const Outcome outcome =
        predict(Arguments{"--run", folder_ / "run", "--out", out, "--images"} + images);
    EXPECT_EQ(outcome.exit_code, 2) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr("this command reads that file"));
    EXPECT_EQ(read_text(out), before);
  };
  refuse({image}, folder_ / "run/per_class.csv");
  refuse({image}, image);
  refuse({folder_ / "photos"}, image);
  refuse({image}, folder_ / "link.csv");
  refuse({folder_ / "photos/info.csv"}, folder_ / "photos/info.csv");
  refuse({image}, checkpoint);
  refuse({image}, folder_ / "run/summary.json");
  refuse({image}, folder_ / "run/fold_0/../predictions.csv");
  // A table of its own beside the run's files may be replaced.
  for (int i = 0; i < 2; ++i) {
    const Outcome outcome = predict(
        {"--run", folder_ / "run", "--images", image, "--out", folder_ / "run/answers.csv"});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  }
}

// Scaled so that its height is that of the resized photographs, one line of pixels would not fit
// into memory.
TEST_F(Predict, AnImpossibleShapeIsFoundWithTheUnreadableImages) {
  const std::string photos = folder_ / "photos";
  const data::Image line{30000, 1, std::vector<std::uint8_t>(90000, 9)};
  const std::vector<std::uint8_t> png = data::encode_png(line);
  write_text(photos + "/class0/line.png", {png.begin(), png.end()});
  const Outcome trained = finetune({"--data", photos, "--model", "lenet", "--weights", "none",
                                    "--image-size", "64", "--crop", "center", "--epochs", "1",
                                    "--folds", "2", "--fold", "0", "--out", folder_ / "cropped"});
  EXPECT_EQ(trained.exit_code, 0) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("line.png: resize: a shorter side of 73 makes the longer"));
  EXPECT_THAT(read_text(folder_ / "cropped/unreadable.csv"), HasSubstr("class0/line.png"));
  const Outcome predicted = predict({"--run", folder_ / "cropped", "--images", photos, "--out",
                                     folder_ / "x.csv", "--allow-bad"});
  EXPECT_EQ(predicted.exit_code, 0) << predicted.output;
  EXPECT_EQ(read_plain_csv(folder_ / "x.csv").size(), 38U);
  const Outcome evaluated =
      run_program("evaluate", {"--run", folder_ / "cropped", "--data", photos});
  EXPECT_EQ(evaluated.exit_code, 1);
  EXPECT_THAT(evaluated.output, HasSubstr("1 of 37 images cannot be read"));
}

TEST_F(Predict, SeveralRunsAreAveragedWhateverTheirPreprocessing) {
  const Outcome other = finetune({"--data", folder_ / "photos", "--model", "mlp", "--weights",
                                  "none", "--image-size", "16", "--epochs", "2", "--folds", "2",
                                  "--fold", "0", "--grayscale", "--out", folder_ / "other"});
  ASSERT_EQ(other.exit_code, 0) << other.output;
  const Arguments rest = {"--images", folder_ / "photos", "--probabilities"};
  const Table a = ask(Arguments{"--run", folder_ / "run"} + rest);    // two folds
  const Table b = ask(Arguments{"--run", folder_ / "other"} + rest);  // one
  const Table both = ask(Arguments{"--run", folder_ / "run", "--run", folder_ / "other"} + rest);
  ASSERT_EQ(both.size(), 37U);
  for (std::size_t i = 1; i < both.size(); ++i) {
    for (std::size_t c = 3; c < 6; ++c) {
      EXPECT_NEAR(std::stod(both[i][c]), (2 * std::stod(a[i][c]) + std::stod(b[i][c])) / 3, 3e-6);
    }
  }
  // Networks that know other classes cannot be averaged.
  std::filesystem::rename(folder_ / "photos/class2", folder_ / "photos/third");
  ASSERT_EQ(
      finetune({"--data", folder_ / "photos", "--model", "mlp", "--weights", "none", "--image-size",
                "16", "--epochs", "1", "--folds", "2", "--fold", "0", "--out", folder_ / "renamed"})
          .exit_code,
      0);
  const Outcome refused = predict(Arguments{"--run", folder_ / "run", "--run", folder_ / "renamed",
                                            "--out", folder_ / "x.csv"} +
                                  rest);
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.output, HasSubstr("other classes"));
}

TEST_F(Predict, ReadsTheListFromStandardInputAndTellsItsSpeed) {
  write_text(folder_ / "list.txt", (folder_ / "photos/class1/photo03.png") + "\r\n\n" +
                                       (folder_ / "photos/class0/photo01.png") + "\n");
  const auto from_list = [this](const std::string& list) {
    const std::string command = "\"" + binary_dir() + "/bin/predict\" --run \"" +
                                (folder_ / "run") + "\" --images - --out \"" +
                                (folder_ / "listed.csv") + "\" < \"" + list + "\" > \"" +
                                (folder_ / "said.txt") + "\" 2>&1";
    return std::system(command.c_str());  // NOLINT(*-env33-c,concurrency-mt-unsafe): a redirection
  };
  EXPECT_EQ(from_list(folder_ / "list.txt"), 0);
  const Table table = read_plain_csv(folder_ / "listed.csv");
  ASSERT_EQ(table.size(), 3U);
  EXPECT_EQ(table[1][0], folder_ / "photos/class1/photo03.png");
  EXPECT_EQ(table[2][0], folder_ / "photos/class0/photo01.png");
  const std::string said = read_text(folder_ / "said.txt");
  EXPECT_THAT(said, ::testing::ContainsRegex("2 networks, [0-9.]+ s, [0-9.]+ images/s"));
  write_text(folder_ / "empty.txt", "\n");
  EXPECT_NE(from_list(folder_ / "empty.txt"), 0);
  EXPECT_THAT(read_text(folder_ / "said.txt"), HasSubstr("standard input: names no images"));
}

}  // namespace
}  // namespace hanok::test
