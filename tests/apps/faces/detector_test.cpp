// The cascade against facenet-pytorch's boxes (tests/golden/mtcnn_faces.py), where the weights and
// the photographs are at hand; its arithmetic everywhere.
#include "hanok/apps/faces/detector.h"

#include <algorithm>
#include <cstdlib>
#include <gtest/gtest.h>

#include "hanok/apps/faces/area_sums.h"
#include "hanok/apps/faces/boxes.h"
#include "hanok/engine/allocator.h"
#include "hanok/engine/ops.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/catalogue.h"
#include "hanok/weights/wheel.h"
#include "tests/data/support.h"
#include "tests/golden/golden.h"

namespace hanok::faces {
namespace {

data::Image drawn(int width, int height) {
  data::Image image{.width = width, .height = height, .pixels = {}};
  for (std::int64_t i = 0; i < std::int64_t{3} * width * height; ++i) {
    image.pixels.push_back(static_cast<std::uint8_t>(i * 7919 % 251));
  }
  return image;
}

bool has_weights() { return weights::is_installed(weights::find_in_wheel_catalogue("mtcnn")); }

TEST(AreaSums, ResizesAsAdaptiveAveragePooling) {
  const data::Image image = drawn(19, 13);
  const AreaSums sums(image);
  Tensor part = Tensor::empty({1, 3, 9, 14});  // of the pixels [2,16) x [3,12)
  for (int y = 0; y < 9; ++y) {
    for (int i = 0; i < 14 * 3; ++i) {
      part.mutable_data<float>()[y * 14 * 3 + i] = image.row(y + 3)[2 * 3 + i];
    }
  }
  for (const AreaSums::Size size : {AreaSums::Size{5, 4}, {14, 9}, {1, 1}, {24, 24}}) {
    const Tensor means = ops::adaptive_avg_pool2d(part, size.height, size.width);
    std::vector<float> got(static_cast<std::size_t>(means.numel()));
    sums.resize({.left = 2, .top = 3, .right = 16, .bottom = 12}, size, got.data());
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got[i], (means.data<float>()[i] - 127.5F) / 128, 1e-5) << size.width << " " << i;
    }
  }
}

TEST(Boxes, OfThoseThatOverlapTheHighestScoreStays) {
  const std::vector<Candidate> boxes = {{.right = 10, .bottom = 10, .score = 0.5F},
                                        {.left = 1, .right = 11, .bottom = 10, .score = 0.9F},
                                        {.left = 30, .right = 34, .bottom = 4, .score = 0.7F},
                                        {.left = 20, .right = 60, .bottom = 40, .score = 0.6F}};
  const std::vector<Candidate> kept = without_overlaps(boxes, 0.7, Overlap::Union);
  ASSERT_EQ(kept.size(), 3U);
  EXPECT_EQ(kept[0].score, 0.9F);
  EXPECT_EQ(kept[1].score, 0.7F);
  EXPECT_EQ(kept[2].score, 0.6F);  // holds the smaller one, but is much larger
  EXPECT_EQ(without_overlaps(boxes, 0.7, Overlap::Least).size(), 2U);
}

TEST(Boxes, PixelsStayInTheImageHoweverFarTheBoxReaches) {
  const Pixels all = pixels_of({.left = -1e9F, .top = -3, .right = 1e9F, .bottom = 50}, 20, 30);
  EXPECT_EQ(all.left, 0);
  EXPECT_EQ(all.top, 0);
  EXPECT_EQ(all.right, 20);
  EXPECT_EQ(all.bottom, 30);
  EXPECT_TRUE(pixels_of({.left = 25, .top = 1, .right = 40, .bottom = 9}, 20, 30).empty());
  EXPECT_TRUE(pixels_of({.left = -9, .top = 1, .right = -2, .bottom = 9}, 20, 30).empty());
}

TEST(Detector, BoxesEqualFacenetPytorchsWithinAPixel) {
  const std::string folder = data::test::shared_data() + "/";
  if (data::test::shared_data().empty()) GTEST_SKIP() << "../shared/data is not here: not run";
  if (!has_weights()) GTEST_SKIP() << "./dev weights mtcnn was not run: this test did not run";
  const Detector detector;
  int compared = 0;
  const golden::Json golden = golden::load("faces_boxes.json");
  for (const auto& photograph : golden.at("photographs")) {
    const std::string file = photograph.at("file");
    SCOPED_TRACE(file);
    const std::vector<Face> found = detector.detect(data::decode_image_file(folder + file));
    const auto& expected = photograph.at("faces");
    ASSERT_EQ(found.size(), expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const Face& face = found[i];
      const auto box = expected[i].at("box").get<std::vector<float>>();
      EXPECT_NEAR(face.left, box[0], 1);
      EXPECT_NEAR(face.top, box[1], 1);
      EXPECT_NEAR(face.right, box[2], 1);
      EXPECT_NEAR(face.bottom, box[3], 1);
      EXPECT_NEAR(face.probability, expected[i].at("probability").get<float>(), 1e-3);
      for (std::size_t k = 0; k < face.landmarks.size(); ++k) {
        const auto point = expected[i].at("landmarks")[k].get<std::vector<float>>();
        EXPECT_NEAR(face.landmarks[k].x, point[0], 1);
        EXPECT_NEAR(face.landmarks[k].y, point[1], 1);
      }
      ++compared;
    }
  }
  EXPECT_GE(compared, 10);
}

TEST(Detector, FindsNothingInAnImageThatIsTooSmallOrBlank) {
  if (!has_weights()) GTEST_SKIP() << "./dev weights mtcnn was not run: this test did not run";
  const Detector detector;
  EXPECT_TRUE(detector.detect(drawn(19, 200)).empty());
  data::Image blank{.width = 64, .height = 48, .pixels = {}};
  blank.pixels.assign(std::size_t{64} * 48 * 3, 128);
  EXPECT_TRUE(detector.detect(blank).empty());
  EXPECT_EQ(detector.weights_sha256().size(), 64U);
}

TEST(AreaSums, RowsAreThoseOfTheWhole) {
  const data::Image image = drawn(37, 29);
  const AreaSums sums(image);
  const Pixels part{.left = 1, .top = 2, .right = 36, .bottom = 29};
  std::vector<float> whole(std::size_t{11} * 17 * 3);
  sums.resize(part, {.width = 11, .height = 17}, whole.data());
  std::vector<float> rows(std::size_t{11} * 5 * 3);
  sums.resize_rows(part, {.width = 11, .height = 17}, {.begin = 6, .end = 11}, rows.data());
  EXPECT_TRUE(std::equal(rows.begin(), rows.end(), whole.begin() + 6 * 11 * 3));
}

TEST(Detector, ALargePhotographTakesBoundedMemory) {
  if (!has_weights()) GTEST_SKIP() << "./dev weights mtcnn was not run: this test did not run";
  const int threads = num_threads();
  set_num_threads(1);
  const Detector detector;
  const data::Image image = drawn(4000, 3000);
  Allocator& allocator = allocator_of(Device::cpu());
  const std::size_t before = allocator.statistics().in_use;
  allocator.reset_peak();
  detector.detect(image);
  set_num_threads(threads);
  const double megabytes =
      static_cast<double>(allocator.statistics().peak - before + image.pixels.size()) / 1e6;
  RecordProperty("megabytes", std::to_string(megabytes));
  EXPECT_LT(megabytes, 200);  // 180 of them are the image and its sums
}

TEST(Detector, SaysHowToGetTheWeightsAndRefusesImpossibleOptions) {
  EXPECT_THROW(Detector({.min_face_size = 0}), ValueError);
  EXPECT_THROW(Detector({.scale_factor = 1}), ValueError);
  const char* home = std::getenv("HANOK_HOME");
  const std::string saved = home == nullptr ? "" : home;
  ::setenv("HANOK_HOME", "/nowhere", 1);
  try {
    const Detector detector;
    ADD_FAILURE() << "no error";
  } catch (const IoError& error) {
    EXPECT_NE(std::string(error.what()).find("./dev weights mtcnn"), std::string::npos);
  }
  if (saved.empty()) {
    ::unsetenv("HANOK_HOME");
  } else {
    ::setenv("HANOK_HOME", saved.c_str(), 1);
  }
}

}  // namespace
}  // namespace hanok::faces
