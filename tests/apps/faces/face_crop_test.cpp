// --crop face from the start of a run to its predictions.
#include <csignal>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/experiment.h"
#include "hanok/apps/prediction/ensemble.h"
#include "hanok/apps/prediction/evaluator.h"
#include "hanok/apps/prediction/explainer.h"
#include "hanok/apps/prediction/predictor.h"
#include "hanok/apps/prediction/trained_crops.h"
#include "hanok/apps/preflight/check.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/training/samples/cropped_data.h"
#include "hanok/data/csv.h"
#include "tests/apps/faces/made_up_finder.h"
#include "tests/apps/fold.h"
#include "tests/apps/program.h"
#include "tests/support/interrupting_reporter.h"

namespace hanok::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using training::Crop;
using training::ModelCard;

template <typename Error, typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

class FaceCropRun : public FoldTest {
 protected:
  FaceCropRun() {
    options_.crop = Crop::Face;
    options_.augment = training::parse_augment("light");
    options_.lr = 0.003;
  }

  int start(const std::string& out, training::Reporter& reporter) {
    return training::start_run(options_, out, reporter, {}, make_made_up_finder);
  }
  std::string start(const std::string& name) {
    std::string out = folder_ / name;
    EXPECT_EQ(start(out, reporter_), 0);
    return out;
  }
  static std::string hash_of(const std::string& run) {
    return read_json(run + "/summary.json").at("last_weights_hash").get<std::string>();
  }
  /// Probabilities by path, as texts.
  static std::map<std::string, std::vector<std::string>> probabilities(const std::string& file) {
    const data::Csv csv = data::read_csv(file);
    std::map<std::string, std::vector<std::string>> found;
    for (const auto& row : csv.rows) {
      std::string path = row[csv.column("path")];
      path = path.substr(path.rfind("class", path.rfind('/') - 1));
      for (const char* name : {"class0", "class1", "class2"}) {
        found[path].push_back(row[csv.column(name)]);
      }
    }
    return found;
  }
};

TEST_F(FaceCropRun, CropsWhatItTrainsOn) {
  const std::string run = start("run");
  EXPECT_THAT(reporter_.text, AllOf(HasSubstr("searched 36 photographs for faces"),
                                    HasSubstr("the middle of the others is used")));
  const data::Csv table = data::read_csv(run + "/faces.csv");
  EXPECT_EQ(table.rows.size(), 36U);
  EXPECT_THAT(read_text(run + "/config.toml"),
              AllOf(HasSubstr("crop = \"face\""), HasSubstr("face-margin = 0.3")));
  options_.face_margin = 0.1;
  const std::string narrow = start("narrow");
  options_.crop = Crop::None;
  const std::string whole = start("whole");
  EXPECT_NE(hash_of(run), hash_of(narrow));
  EXPECT_NE(hash_of(run), hash_of(whole));
  EXPECT_FALSE(std::filesystem::exists(whole + "/faces.csv"));
}

TEST_F(FaceCropRun, EqualsTrainingOnImagesCutByHand) {
  const data::Dataset photos = data::load_image_folder(options_.data);
  const faces::FaceTable table = faces::find_faces(photos, MadeUpFinder(), 1, reporter_).value();
  for (std::size_t i = 0; i < photos.samples.size(); ++i) {
    const data::Image part = data::crop(data::decode_image_file(photos.full_path(i)),
                                        faces::face_crop(table.photos[i], 0.3));
    const std::vector<std::uint8_t> png = data::encode_png(part);
    const std::string file = folder_ / ("cut/" + photos.samples[i].path);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    write_text(file, std::string(png.begin(), png.end()));
  }
  const std::string run = start("run");
  options_.crop = Crop::None;
  options_.data = folder_ / "cut";
  EXPECT_EQ(hash_of(start("by hand")), hash_of(run));
}

TEST_F(FaceCropRun, IsTheSameForAnyWorkersThreadsAndCaches) {
  const std::string run = start("run");
  options_.workers = 4;
  options_.threads = 3;
  options_.cache_images = training::Caching::No;
  const std::string other = start("other");
  EXPECT_EQ(hash_of(run), hash_of(other));
  EXPECT_EQ(read_text(run + "/faces.csv"), read_text(other + "/faces.csv"));
  EXPECT_EQ(read_text(run + "/predictions.csv"), read_text(other + "/predictions.csv"));
}

TEST_F(FaceCropRun, CachedFeaturesAreThoseOfTheCrops) {
  options_.augment = training::parse_augment("none");
  options_.model = "resnet18";
  options_.epochs = 2;
  options_.fold = 0;
  options_.mode = training::FreezingMode::FeatureExtraction;
  options_.cache_features = training::Caching::No;
  const std::string computed = start("computed");
  options_.cache_features = training::Caching::Yes;
  EXPECT_EQ(hash_of(start("cached")), hash_of(computed));
}

TEST_F(FaceCropRun, ResumesToTheSameBits) {
  options_.epochs = 6;
  const std::string whole = start("whole");
  const std::string broken = folder_ / "broken";
  training::watch_for_interrupts();
  InterruptingReporter interrupting("val loss", 3);
  EXPECT_EQ(start(broken, interrupting), training::kInterrupted);
  training::clear_interrupt();
  EXPECT_FALSE(std::filesystem::exists(broken + "/summary.json"));
  EXPECT_EQ(training::resume_run(broken, reporter_), 0);
  EXPECT_EQ(hash_of(whole), hash_of(broken));
  EXPECT_EQ(read_text(whole + "/predictions.csv"), read_text(broken + "/predictions.csv"));
  EXPECT_EQ(read_text(whole + "/fold_1/best.safetensors"),
            read_text(broken + "/fold_1/best.safetensors"));
}

TEST_F(FaceCropRun, IsNotResumedWithOtherImagesOrADamagedTable) {
  options_.epochs = 6;
  const std::string run = folder_ / "run";
  training::watch_for_interrupts();
  InterruptingReporter interrupting("val loss", 2);
  ASSERT_EQ(start(run, interrupting), training::kInterrupted);
  training::clear_interrupt();
  const auto resume = [&] { training::resume_run(run, reporter_); };
  const std::string table = read_text(run + "/faces.csv");
  write_text(run + "/faces.csv", table.substr(0, table.size() / 2));
  EXPECT_THAT(message_of<FormatError>(resume), HasSubstr(run + "/faces.csv"));
  std::filesystem::remove(run + "/faces.csv");
  EXPECT_THAT(message_of<IoError>(resume), HasSubstr(run + "/faces.csv"));
  write_text(run + "/faces.csv", table);
  const std::string photo = options_.data + "/class1/photo03.png";
  const std::string bytes = read_text(photo);
  std::string changed = bytes;
  changed[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] + 1);
  write_text(photo, changed);
  EXPECT_THAT(message_of<ValueError>(resume),
              AllOf(HasSubstr("1 of the run's 36 images has changed"),
                    HasSubstr("class1/photo03.png"), HasSubstr("searched for faces")));
  write_text(photo, bytes);
  EXPECT_EQ(training::resume_run(run, reporter_), 0);
}

TEST_F(FaceCropRun, AnInterruptedSearchLeavesNothing) {
  training::watch_for_interrupts();
  InterruptingReporter interrupting("finding faces", 5);
  EXPECT_EQ(start(folder_ / "run", interrupting), training::kInterrupted);
  training::clear_interrupt();
  EXPECT_FALSE(std::filesystem::exists(folder_ / "run"));
}

TEST_F(FaceCropRun, PredictAndEvaluateGiveTheAnswersOfTheRun) {
  const std::string run = start("run");
  const auto expected = probabilities(run + "/fold_1/predictions.csv");
  ASSERT_EQ(expected.size(), 18U);
  training::PredictOptions request;
  request.checkpoint = run + "/fold_1/best.safetensors";
  request.images = {options_.data};
  request.out = folder_ / "answers.csv";
  request.probabilities = true;
  request.batch_size = 6;
  request.make_finder = make_made_up_finder;
  predict(request, reporter_);
  const auto predicted = probabilities(request.out);
  training::EvaluateOptions scoring;
  scoring.checkpoint = request.checkpoint;
  scoring.data = options_.data;
  scoring.out = folder_ / "scored.csv";
  scoring.batch_size = 6;
  scoring.make_finder = make_made_up_finder;
  evaluate_data(scoring, reporter_);
  const auto scored = probabilities(scoring.out);
  for (const auto& [path, values] : expected) {
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_EQ(values[c], predicted.at(path)[c]) << path;
      EXPECT_EQ(values[c], scored.at(path)[c]) << path;
    }
  }
}

TEST_F(FaceCropRun, AnEnsembleCropsForEachNetwork) {
  const std::string cropped = start("cropped");
  options_.crop = Crop::None;
  const std::string whole = start("whole");
  const auto ask = [&](const std::vector<std::string>& runs) {
    training::PredictOptions request;
    request.runs = runs;
    request.images = {options_.data};
    request.out = folder_ / "answers.csv";
    request.probabilities = true;
    request.make_finder = make_made_up_finder;
    predict(request, reporter_);
    return probabilities(request.out);
  };
  const auto one = ask({cropped});
  const auto two = ask({whole});
  const auto both = ask({cropped, whole});
  for (const auto& [path, values] : both) {
    for (std::size_t c = 0; c < 3; ++c) {
      const double mean = (std::stod(one.at(path)[c]) + std::stod(two.at(path)[c])) / 2;
      EXPECT_NEAR(std::stod(values[c]), mean, 2e-6) << path;
    }
  }
}

TEST_F(FaceCropRun, ANetworkOfFacesAnswersForNoWholeImage) {
  std::vector<training::LoadedModel> models =
      training::load_checkpoints({start("run") + "/fold_0/best.safetensors"});
  const data::Dataset whole = data::load_image_folder(options_.data);
  const auto ask = [&](const data::Dataset& dataset) {
    data::Loader loader(dataset, training::answering_loader(models, {}));
    training::evaluate_together(models, loader, dataset, {0, 20}, {.reporter = reporter_});
  };
  EXPECT_THAT(message_of<ValueError>([&] { ask(whole); }),
              AllOf(HasSubstr("class0/photo00.png"), HasSubstr("not cropped")));
  training::TrainedCrops crops(models, make_made_up_finder, reporter_);
  EXPECT_NO_THROW(ask(crops.of(whole, models.front().card)));
  // Another network's crops are taken off again.
  ModelCard without = models.front().card;
  without.face_crop.reset();
  const data::Dataset cropped = crops.of(whole, models.front().card);
  EXPECT_FALSE(crops.of(cropped, without).samples[0].crop.has_value());
}

TEST_F(FaceCropRun, WarnsOfAnotherFinder) {
  const std::string run = start("run");
  training::PredictOptions request;
  request.runs = {run};
  request.images = {options_.data};
  request.out = folder_ / "answers.csv";
  request.make_finder = [] { return std::make_unique<MadeUpFinder>("a newer one"); };
  RecordingReporter reporter;
  predict(request, reporter);
  EXPECT_THAT(reporter.text, HasSubstr("warning: the network was trained on faces found by 'made "
                                       "up', these are found by 'a newer one'"));
}

TEST_F(FaceCropRun, WithoutTheDetectorsWeightsNoImageIsDecoded) {
  const std::string run = start("run");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(options_.data)) {
    if (entry.is_regular_file()) write_text(entry.path().string(), "no picture");
  }
  const faces::MakeFaceFinder missing = []() -> std::unique_ptr<faces::FaceFinder> {
    throw IoError("run ./dev weights mtcnn");
  };
  const auto expect = [](const auto& call) {
    EXPECT_THAT(message_of<IoError>(call), HasSubstr("run ./dev weights mtcnn"));
  };
  expect([&] { training::start_run(options_, folder_ / "new", reporter_, {}, missing); });
  expect([&] { training::dry_run(options_, reporter_, missing); });
  expect([&] { training::plan_run(options_, reporter_, missing); });
  expect([&] { training::check_recipe(options_, reporter_, missing); });
  training::PredictOptions request;
  request.runs = {run};
  request.images = {options_.data};
  request.out = folder_ / "answers.csv";
  request.make_finder = missing;
  expect([&] { training::predict(request, reporter_); });
  training::EvaluateOptions scoring;
  scoring.run = run;
  scoring.data = options_.data;
  scoring.make_finder = missing;
  expect([&] { training::evaluate_data(scoring, reporter_); });
  EXPECT_FALSE(std::filesystem::exists(folder_ / "new"));
}

TEST_F(FaceCropRun, CheckPlanAndDryRunSearchForFacesToo) {
  options_.lr = 0.002;
  EXPECT_EQ(training::check_recipe(options_, reporter_, make_made_up_finder), 0) << reporter_.text;
  EXPECT_THAT(reporter_.text, AllOf(HasSubstr("ok     faces       faces found in"),
                                    HasSubstr("ok     predict     16 of 16")));
  RecordingReporter planning;
  training::plan_run(options_, planning, make_made_up_finder);
  EXPECT_THAT(planning.text, HasSubstr("faces found in"));
  RecordingReporter dry;
  training::dry_run(options_, dry, make_made_up_finder);
  EXPECT_THAT(dry.text, HasSubstr("faces found in"));
}

TEST_F(FaceCropRun, DataThatWereNotSearchedAreRefused) {
  EXPECT_THAT(message_of<ValueError>([&] { const training::FoldSamples samples(job()); }),
              HasSubstr("were not searched for faces"));
}

TEST(FaceCropCard, SurvivesTheCheckpoint) {
  ModelCard card{.model = "lenet", .class_names = {"a", "b"}, .preprocessing = {}};
  const auto plain = training::to_metadata(card);
  EXPECT_EQ(plain.at("hanok.version"), "1");  // which every hanok reads
  EXPECT_THAT(plain.at("hanok.preprocessing"), Not(HasSubstr("face")));
  EXPECT_FALSE(training::card_from_metadata("file", plain).face_crop.has_value());
  card.face_crop = training::FaceCrop{.margin = 0.15, .finder = "made up"};
  auto metadata = training::to_metadata(card);
  EXPECT_EQ(metadata.at("hanok.version"), "2");
  const auto again = training::card_from_metadata("file", metadata).face_crop;
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->margin, 0.15);
  EXPECT_EQ(again->finder, "made up");
  const auto problem = [&metadata](const char* from, const char* to) {
    auto changed = metadata;
    std::string& record = changed.at("hanok.preprocessing");
    record.replace(record.find(from), std::string(from).size(), to);
    return message_of<FormatError>([&] { training::card_from_metadata("file", changed); });
  };
  EXPECT_EQ(problem("\"face\"", "\"hand\""), "file: unknown crop \"hand\"");
  EXPECT_EQ(problem("0.15", "-0.5"), "file: face_margin is -0.5, expected 0 or more");
  EXPECT_THAT(problem("face_margin", "other"), HasSubstr("file: its record"));
  metadata["hanok.version"] = "3";
  EXPECT_THAT(message_of<FormatError>([&] { training::card_from_metadata("file", metadata); }),
              HasSubstr("newer hanok"));
}

TEST(FaceCropOptions, TheMarginsRangeIsChecked) {
  for (const char* margin : {"-0.1", "10", "nan", "wide"}) {
    const Outcome outcome = finetune({"--crop", "face", "--face-margin", margin, "--print-config"});
    EXPECT_EQ(outcome.exit_code, 2) << margin;
    EXPECT_THAT(outcome.output, HasSubstr("--face-margin"));
  }
  const Outcome outcome = finetune({"--crop", "face", "--face-margin", "0", "--print-config"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, AllOf(HasSubstr("crop = \"face\""), HasSubstr("face-margin = 0")));
}

TEST_F(FaceCropRun, ExplainCropsAsTheRunDid) {
  const std::string run = start("run");
  training::ExplainOptions options;
  options.run = run;
  options.images = {folder_ / "photos/class0/photo00.png"};
  options.out = folder_ / "why.png";
  options.make_finder = make_made_up_finder;
  const training::Explanations explained = training::explain(options, reporter_);
  ASSERT_EQ(explained.images.size(), 1U);
  // The fold that held it out gave these probabilities.
  const auto own = probabilities(run + "/predictions.csv").at("class0/photo00.png");
  for (std::size_t k = 0; k < own.size(); ++k) {
    EXPECT_NEAR(explained.images[0].probabilities[k], std::stod(own[k]), 2e-6);
  }
  EXPECT_EQ(explained.images[0].maps.size(), 2U);
}

}  // namespace
}  // namespace hanok::test
