// inspect: what it says about data, networks, weight files, machine and augmentation.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <regex>

#include "hanok/data/augmentation.h"
#include "hanok/data/image.h"
#include "hanok/data/mix.h"
#include "hanok/data/transforms.h"
#include "hanok/weights/weights.h"
#include "tests/apps/program.h"
#include "tests/data/support.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;

std::string inspect(const Arguments& arguments) {
  const Outcome outcome = run_program("inspect", arguments);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  return outcome.output;
}

/// How many lines of `text` the pattern is found in.
int matching_lines(const std::string& text, const std::string& pattern) {
  int count = 0;
  for (const std::string& line : lines_of(text)) {
    count += std::regex_search(line, std::regex(pattern)) ? 1 : 0;
  }
  return count;
}

class InspectData : public ::testing::Test {
 protected:
  InspectData() { draw_photos(photos_, {.classes = 3, .members = 4}); }
  TemporaryFolder folder_;
  const std::string photos_ = folder_ / "photos";
};

TEST_F(InspectData, CountsClassesSizesAndModes) {
  draw_photos(folder_ / "wide", {.classes = 1, .members = 1, .size = 48});
  fs::copy_file(folder_ / "wide/class0/photo00.png", photos_ + "/class2/more.png");
  const std::string text = inspect({"data", photos_});
  EXPECT_THAT(text, HasSubstr("folder layout, 13 photographs, 3 classes"));
  EXPECT_EQ(matching_lines(text, "^class0 +4 +30\\.8%$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "^class2 +5 +38\\.5%$"), 1) << text;
  EXPECT_THAT(text, HasSubstr("1.2 times"));
  EXPECT_THAT(text, HasSubstr("2 different; shorter sides 32 to 48, median 32"));
  EXPECT_EQ(matching_lines(text, "^  32x32 +12$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "^  48x48 +1$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "^  PNG RGB +13$"), 1) << text;
  EXPECT_THAT(text, HasSubstr("unreadable: 0\n"));
  EXPECT_THAT(text, HasSubstr("files skipped: 0\n"));
  EXPECT_THAT(text, HasSubstr("No photograph is there twice"));
  EXPECT_THAT(text, HasSubstr("groups: none"));
}

TEST_F(InspectData, FindsUnreadableHiddenMisnamedAndDuplicateFiles) {
  fs::copy_file(photos_ + "/class0/photo01.png", photos_ + "/class0/again.png");
  fs::copy_file(photos_ + "/class0/photo02.png", photos_ + "/class1/other.jpg");
  write_text(photos_ + "/class1/broken.png", "nothing");
  write_text(photos_ + "/class1/._photo00.png", "attributes");
  write_text(photos_ + "/.DS_Store", "window");
  const std::string text = inspect({"data", photos_});
  EXPECT_THAT(text, HasSubstr("unreadable: 1\n"));
  EXPECT_THAT(text, HasSubstr("class1/broken.png: text and not an image: 'nothing'"));
  EXPECT_THAT(text, HasSubstr("files skipped: 2\n"));
  EXPECT_THAT(text, HasSubstr("1 x AppleDouble"));
  EXPECT_THAT(text, HasSubstr("harmless): 1\n  class1/other.jpg holds a PNG"));
  EXPECT_THAT(text,
              HasSubstr("2 photographs are shown more than once: 2 as equal files, 0 as near"));
  EXPECT_THAT(text, HasSubstr("1 photograph is shown in different classes"));
  EXPECT_EQ(matching_lines(text, "class0/again\\.png"), 1) << text;
  EXPECT_EQ(matching_lines(
                text, "equal files, across groups +class0/again\\.png = class0/photo01\\.png$"),
            1)
      << text;
  EXPECT_EQ(matching_lines(
                text, "equal files, across classes.* +class0/photo02\\.png = class1/other\\.jpg$"),
            1)
      << text;
}

TEST_F(InspectData, ShowsClassesByGroup) {
  draw_photos(folder_ / "people", {.classes = 2, .members = 4, .groups = true});
  const std::string text = inspect({"data", folder_ / "people"});
  EXPECT_EQ(matching_lines(text, "^class1 +4 +50\\.0% +2$"), 1) << text;
  EXPECT_THAT(text, HasSubstr("4, of 2 to 2 photographs"));
  EXPECT_EQ(matching_lines(text, "2 groups with 2 x class0$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "2 groups with 2 x class1$"), 1) << text;
}

TEST_F(InspectData, ListsTwentyOfAKindUnlessAskedForAll) {
  for (int i = 0; i < 23; ++i) {
    write_text(photos_ + "/class0/bad" + std::to_string(i) + ".png", "nothing");
  }
  const std::string text = inspect({"data", photos_});
  EXPECT_EQ(matching_lines(text, "bad\\d+\\.png: "), 20);
  EXPECT_THAT(text, HasSubstr("... and 3 more (--all lists them)"));
  EXPECT_EQ(matching_lines(inspect({"data", photos_, "--all"}), "bad\\d+\\.png: "), 23);
}

TEST(InspectModel, ResNet18HasTorchvisionsFigures) {
  const TemporaryFolder folder;
  const std::string text = inspect({"model", "resnet18", "--dot", folder / "graph.dot"});
  // torchvision's page of ResNet18_Weights: 11,689,512 parameters, 1.81 GFLOPS (multiply-adds).
  EXPECT_EQ(matching_lines(text, "^ResNet +\\[1,1000\\] +11689512 +3\\.63 G$"), 1) << text;
  EXPECT_THAT(text, HasSubstr("parameters: 11689512 (44.59 MiB), and 9620 values"));
  EXPECT_THAT(text, HasSubstr("3.63 G (1.81 G multiply-adds)"));
  // 2 * 112 * 112 pixels * 64 * 3 * 7 * 7 weights
  EXPECT_EQ(matching_lines(text, "^  conv1: Conv2d +\\[1,64,112,112\\] +9408 +236\\.03 M"), 1);
  EXPECT_EQ(matching_lines(text, "^      downsample: Sequential +\\[1,512,7,7\\]"), 1);
  EXPECT_THAT(text, Not(HasSubstr("not called")));
  // The pass that is traced runs fused, as training does.
  EXPECT_EQ(matching_lines(text, "^ +\\d+  conv_bn_act "), 19);
  EXPECT_EQ(matching_lines(
                text, "^ +1  conv_bn_relu_max_pool2d +\\[1,64,56,56\\] +from images conv1 bn1$"),
            1);
  EXPECT_EQ(matching_lines(text, "from #5 layer2\\.0\\.downsample\\.0"), 1);
  EXPECT_EQ(matching_lines(text, "^ +23  linear +\\[1,1000\\] +from #22 fc$"), 1);
  EXPECT_THAT(read_text(folder / "graph.dot"), HasSubstr("conv_bn_act"));
}

TEST(InspectModel, ImageSizeAndClassesChangeTheShapes) {
  const std::string text = inspect({"model", "lenet", "--image-size", "32", "--classes", "7"});
  // 25 * 3 * 6 + 6, 25 * 6 * 16 + 16, 400 * 120 + 120, 120 * 84 + 84, 84 * 7 + 7
  EXPECT_THAT(text, HasSubstr("parameters: " + std::to_string(456 + 2416 + 48120 + 10164 + 595)));
  EXPECT_EQ(matching_lines(text, "^  conv2: Conv2d +\\[1,16,10,10\\] +2416 +480\\.00 k"), 1)
      << text;
  EXPECT_EQ(matching_lines(text, "^  fc3: Linear +\\[1,7\\] +595 +1\\.18 k"), 1) << text;
  EXPECT_THAT(text, ContainsRegex("2  relu +\\[1,6,28,28\\] +from #1"));
}

TEST(InspectModel, NamesTheAlgorithmOfEachPass) {
  const std::string text = inspect({"model", "resnet18", "--kernels", "--batch", "16"});
  EXPECT_THAT(text, HasSubstr("algorithms of a training step of 16 images on the CPU ("));
  EXPECT_EQ(matching_lines(text,
                           "^conv1 +\\[16,3,224,224\\] +winograd_stem +implicit_gemm "
                           "+winograd_stem$"),
            1)
      << text;
  EXPECT_EQ(matching_lines(text,
                           "^layer1\\.\\d\\.conv\\d +\\[16,64,56,56\\] +winograd4x4 \\(fused\\) "
                           "+winograd4x4 \\(fused\\) +winograd4x4 \\(fused\\)$"),
            4)
      << text;
  EXPECT_EQ(matching_lines(text,
                           "^layer3\\.0\\.conv1 .* winograd_strided +winograd_strided "
                           "+winograd_strided$"),
            1);
  EXPECT_EQ(matching_lines(text,
                           "^layer4\\.1\\.conv2 +\\[16,512,7,7\\] +winograd4x4 \\(panels\\) "
                           "+winograd4x4 \\(panels\\) +winograd4x4 \\(staged\\)$"),
            1);
  EXPECT_EQ(matching_lines(text,
                           "^layer[234]\\.0\\.downsample\\.0 .*implicit_gemm +implicit_gemm "
                           "+implicit_gemm$"),
            3);
  // One image has few pixels in its last layers.
  EXPECT_EQ(matching_lines(inspect({"model", "resnet18", "--kernels"}),
                           "^layer4\\.1\\.conv2 +\\[1,512,7,7\\] +winograd2x2 +implicit_gemm "
                           "+implicit_gemm$"),
            1);
  EXPECT_THAT(inspect({"model", "lenet", "--image-size", "32"}), Not(HasSubstr("backward data")));
}

TEST(InspectWeights, GivesShapesTypesAndStatistics) {
  const TemporaryFolder folder;
  nn::StateDict tensors;
  tensors.insert("a.weight", Tensor::from_vector(std::vector<float>{1, 2, 3, 4}, {2, 2}));
  tensors.insert("b", Tensor::from_vector(std::vector<float>{NAN, 5}, {2}));
  tensors.insert("counts", Tensor::from_vector(std::vector<std::int64_t>{7}, {1}));
  weights::save_safetensors(folder / "w.safetensors", tensors, {{"made", "here"}});
  const std::string text = inspect({"weights", folder / "w.safetensors"});
  // deviation of 1 2 3 4: sqrt(1.25)
  EXPECT_EQ(matching_lines(text, "^a\\.weight +\\[2,2\\] +f32 +1 +4 +2\\.5 +1\\.118$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "^b +\\[2\\] +f32 +5 +5 +5 +0  \\(1 not finite\\)$"), 1) << text;
  EXPECT_EQ(matching_lines(text, "^counts +\\[1\\] +i64 +7 +7 +7 +0$"), 1) << text;
  EXPECT_THAT(text, HasSubstr("total: 3 tensors, 7 values"));
  EXPECT_THAT(text, HasSubstr("metadata: made = here"));
  EXPECT_EQ(run_program("convert", {"--inspect", folder / "w.safetensors"}).output, text);
}

TEST(InspectDevices, TellsPathBudgetAndThatThereIsNoCuda) {
  const char* before = std::getenv("HANOK_ISA");
  const std::string saved = before == nullptr ? "" : before;
  unsetenv("HANOK_ISA");
  const std::string text = inspect({"devices"});
  EXPECT_THAT(text, ContainsRegex("^cpu: [^\n]+"));
  EXPECT_THAT(text, ContainsRegex("cores: [1-9]"));
  EXPECT_THAT(text, ContainsRegex("instruction-set path: (avx2|portable) \\(by cpuid"));
  EXPECT_THAT(text, ContainsRegex("memory budget: [0-9]+\\.[0-9]+ GiB"));
  EXPECT_THAT(text, HasSubstr("cuda:"));
  setenv("HANOK_ISA", "portable", 1);
  EXPECT_THAT(inspect({"devices"}), HasSubstr("portable (forced by HANOK_ISA)"));
  setenv("HANOK_ISA", "sparc", 1);
  EXPECT_EQ(run_program("inspect", {"devices"}).exit_code, 1);
  unsetenv("HANOK_ISA");
  if (before != nullptr) setenv("HANOK_ISA", saved.c_str(), 1);
}

/// The picture in a column and row of a sheet of `size` pictures with 4 pixels between them.
data::Image tile(const data::Image& sheet, int size, int column, int row) {
  return data::crop(sheet, {4 + column * (size + 4), 4 + row * (size + 4), size, size});
}

TEST_F(InspectData, AugmentDrawsWhatTrainingSees) {
  const std::string text =
      inspect({"augment", photos_, "--image-size", "40", "--epochs", "3", "--seed", "9", "--sample",
               "5", "--augment", "strong", "light", "--out", folder_ / "sheet.png"});
  EXPECT_THAT(text, HasSubstr("class1/photo01.png"));
  EXPECT_THAT(text, HasSubstr("row 1: strong\nrow 2: light\n"));
  const data::Image sheet = data::decode_image_file(folder_ / "sheet.png");
  ASSERT_EQ(sheet.width, 4 + 4 * 44);
  ASSERT_EQ(sheet.height, 4 + 2 * 44);
  data::Preprocessing preprocessing;
  preprocessing.image_size = 40;
  const data::Image image =
      data::preprocess(data::decode_image_file(photos_ + "/class1/photo01.png"), preprocessing);
  const data::Augmentation kinds[2] = {data::named_augmentation("strong"),
                                       data::named_augmentation("light")};
  for (int row = 0; row < 2; ++row) {
    EXPECT_EQ(tile(sheet, 40, 0, row).pixels, image.pixels);
    for (int epoch = 0; epoch < 3; ++epoch) {
      EXPECT_EQ(tile(sheet, 40, epoch + 1, row).pixels,
                data::augment(image, kinds[row], 9, epoch, 5).pixels);
    }
  }
  EXPECT_NE(tile(sheet, 40, 1, 0).pixels, tile(sheet, 40, 2, 0).pixels);
}

// Every transform, list and mix has a row, and each row shows something.
TEST_F(InspectData, AugmentShowsEverythingThereIs) {
  const std::string file = folder_ / "mine.toml";
  write_text(file, "[[transform]]\nname = \"invert\"\n");
  const std::string text = inspect({"augment", photos_, "--image-size", "32", "--epochs", "8",
                                    "--augment", "all", file, "--out", folder_ / "sheet.png"});
  std::vector<std::string> rows;
  for (const data::TransformKind& kind : data::transform_kinds()) rows.push_back(kind.name);
  for (const char* name : {"light", "strong", "randaugment", "mixup with ", "cutmix with "}) {
    rows.emplace_back(name);
  }
  rows.push_back(file);
  const data::Image sheet = data::decode_image_file(folder_ / "sheet.png");
  ASSERT_EQ(sheet.height, 4 + static_cast<int>(rows.size()) * 36);
  for (std::size_t row = 0; row < rows.size(); ++row) {
    EXPECT_THAT(text, HasSubstr("row " + std::to_string(row + 1) + ": " + rows[row]));
    int changed = 0;
    for (int epoch = 0; epoch < 8; ++epoch) {
      changed += tile(sheet, 32, epoch + 1, static_cast<int>(row)).pixels !=
                 tile(sheet, 32, 0, static_cast<int>(row)).pixels;
    }
    EXPECT_GT(changed, 0) << rows[row];
  }
}

// mixup is the batch's: a share of this photograph and the rest of the other.
TEST_F(InspectData, AugmentMixesWithAPhotographOfAnotherClass) {
  const std::string text =
      inspect({"augment", photos_, "--image-size", "24", "--epochs", "3", "--seed", "4",
               "--augment", "mixup", "--alpha", "0.5", "--out", folder_ / "sheet.png"});
  EXPECT_THAT(text, HasSubstr("row 1: mixup with " + photos_ + "/class1/photo00.png"));
  data::Preprocessing preprocessing;
  preprocessing.image_size = 24;
  const data::Image own =
      data::preprocess(data::decode_image_file(photos_ + "/class0/photo00.png"), preprocessing);
  const data::Image other =
      data::preprocess(data::decode_image_file(photos_ + "/class1/photo00.png"), preprocessing);
  const data::Image sheet = data::decode_image_file(folder_ / "sheet.png");
  for (int epoch = 0; epoch < 3; ++epoch) {
    data::RandomDraws random(4, RandomStream::Mixup, epoch, 0);
    const double share = data::draw_beta(0.5, random);
    const data::Image shown = tile(sheet, 24, epoch + 1, 0);
    for (std::size_t i = 0; i < shown.pixels.size(); ++i) {
      EXPECT_NEAR(shown.pixels[i], share * own.pixels[i] + (1 - share) * other.pixels[i], 0.51);
    }
  }
}

TEST_F(InspectData, AugmentTakesOnePhotographAndWritesJpeg) {
  const std::string text = inspect({"augment", photos_ + "/class0/photo00.png", "--image-size",
                                    "24", "--epochs", "2", "--out", folder_ / "sheet.jpg"});
  EXPECT_THAT(text, HasSubstr("row 3: randaugment"));
  const data::Image sheet = data::decode_image_file(folder_ / "sheet.jpg");
  EXPECT_EQ(sheet.width, 4 + 3 * 28);
  EXPECT_EQ(sheet.height, 4 + 3 * 28);
}

TEST_F(InspectData, EveryMistakeIsNamed) {
  const auto expect = [](const Arguments& arguments, int code, const std::string& text) {
    const Outcome outcome = run_program("inspect", arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  const std::string out = folder_ / "sheet.png";
  expect({}, 2, "inspect --help");
  expect({"everything"}, 2, "inspect --help");
  expect({"data"}, 2, "DIR");
  expect({"data", folder_ / "nowhere"}, 1, "no such folder");
  expect({"data", photos_, "--layout", "circle"}, 1, "known: auto, folder");
  expect({"data", photos_, "--threads", "-1"}, 2, "--threads");
  expect({"model"}, 2, "NAME");
  expect({"model", "resnet19"}, 1, "near: resnet18");
  expect({"model", "lenet", "--image-size", "8"}, 1, "16");
  expect({"model", "lenet", "--classes", "0"}, 2, "--classes");
  expect({"model", "lenet", "--kernels", "--batch", "0"}, 2, "--batch");
  expect({"model", "lenet", "--dot", folder_ / "absent/graph.dot"}, 1, "absent/graph.dot");
  expect({"weights", folder_ / "nowhere.pth"}, 1, "nowhere.pth");
  expect({"weights", photos_ + "/class0/photo00.png"}, 1, "photo00.png");
  expect({"augment", photos_}, 2, "--out");
  expect({"augment", photos_, "--out", folder_ / "sheet.bmp"}, 2, ".png or .jpg");
  expect({"augment", photos_, "--out", out, "--augment", "wild"}, 2, "known: none, light");
  expect({"augment", photos_, "--out", out, "--alpha", "0"}, 2, "--alpha");
  expect({"augment", photos_ + "/class0/photo00.png", "--out", out, "--augment", "mixup"}, 2,
         "mixes two photographs");
  expect({"augment", photos_, "--out", out, "--sample", "12"}, 2, "samples 0 to 11");
  expect({"augment", photos_, "--out", out, "--epochs", "0"}, 2, "--epochs");
  expect({"augment", photos_, "--out", out, "--epochs", "100", "--image-size", "1000"}, 2,
         "fewer epochs");
  expect({"augment", photos_ + "/class0/photo00.png", "--out", out, "--sample", "1"}, 2,
         "one photograph");
  expect({"augment", folder_ / "nowhere.png", "--out", out}, 1, "nowhere.png");
  EXPECT_FALSE(fs::exists(out));
}

TEST(Inspect, HelpTeaches) {
  const std::string text = inspect({"--help"});
  for (const char* command : {"data", "model", "weights", "devices", "augment", "transforms"}) {
    EXPECT_GE(matching_lines(text, std::string("^  ") + command + " "), 1) << command;
    EXPECT_EQ(run_program("inspect", {command, "--help"}).exit_code, 0);
  }
  EXPECT_THAT(text, HasSubstr("Exit codes"));
  EXPECT_THAT(inspect({"model", "--help"}), HasSubstr("resnet18"));
  EXPECT_THAT(inspect({"transforms"}), ContainsRegex("rotate\n[^\n]*\n[^\n]*\n  degrees +15 "));
  EXPECT_THAT(inspect({"augment", "--help"}), HasSubstr("Example: inspect augment"));
}

}  // namespace
}  // namespace hanok::test
