// evaluate: scores of runs and checkpoints on labelled data, matched by class names.
#include <cmath>
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>

#include "hanok/apps/run/checkpoint.h"
#include "hanok/nn/models/registry.h"
#include "tests/apps/trained_run.h"

namespace hanok::test {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;
using Arguments = std::vector<std::string>;
using Table = std::vector<std::vector<std::string>>;

Outcome evaluate(const Arguments& arguments) { return run_program("evaluate", arguments); }

/// A network that gives every image the same logits, and so always the same answer.
void save_constant(const std::string& path, const std::vector<std::string>& class_names,
                   const std::vector<float>& logits) {
  training::ModelCard card{"lenet", class_names, {}};
  card.preprocessing.image_size = 32;
  const auto classes = static_cast<std::int64_t>(logits.size());
  const auto model = nn::make_model("lenet", classes, 32);
  nn::StateDict state = model->state_dict();
  state.erase("fc3.weight");
  state.erase("fc3.bias");
  state.insert("fc3.weight", Tensor::zeros({classes, 84}));
  state.insert("fc3.bias", Tensor::from_vector(logits, {classes}));
  model->load_state_dict(state);
  training::save_model(path, *model, card);
}

class EvaluateConstant : public ::testing::Test {
 protected:
  EvaluateConstant() {
    draw_photos(photos_, {.classes = 3, .members = 4});
    fs::remove(photos_ + "/class2/photo03.png");  // 4, 4 and 3 images
    save_constant(network_, {"class0", "class1", "class2"}, {0, 2, 1});
  }

  nlohmann::json scores(const Arguments& arguments) {
    const std::string out = folder_ / "scores.json";
    const Outcome outcome = evaluate(arguments + Arguments{"--out", out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.exit_code == 0 ? read_json(out) : nlohmann::json();
  }

  TemporaryFolder folder_;
  const std::string photos_ = folder_ / "photos";
  const std::string network_ = folder_ / "constant.safetensors";
};

TEST_F(EvaluateConstant, ScoresAreThoseOfTheDefinitions) {
  const nlohmann::json json = scores({"--checkpoint", network_, "--data", photos_});
  // All 11 images are taken for class1: precision 4/11, recall 1, F1 8/15; the others' F1 is 0.
  EXPECT_NEAR(json["macro_f1"], 8.0 / 15 / 3, 1e-12);
  EXPECT_NEAR(json["macro_precision"], 4.0 / 11 / 3, 1e-12);
  EXPECT_NEAR(json["macro_recall"], 1.0 / 3, 1e-12);
  EXPECT_NEAR(json["accuracy"], 4.0 / 11, 1e-12);
  EXPECT_EQ(json["images"], 11);
  EXPECT_EQ(json["class_names"], nlohmann::json({"class0", "class1", "class2"}));
  EXPECT_EQ(json["confusion_matrix"], nlohmann::json({{0, 4, 0}, {0, 4, 0}, {0, 3, 0}}));
  EXPECT_NEAR(json["per_class"]["class1"]["precision"], 4.0 / 11, 1e-12);
  EXPECT_NEAR(json["per_class"]["class1"]["f1"], 8.0 / 15, 1e-12);
  EXPECT_EQ(json["per_class"]["class2"]["support"], 3);
  EXPECT_EQ(json["networks"], nlohmann::json({network_}));
  // The mean over images of log(sum of exp(logits)) - the true class's logit.
  const double sum = std::log(1 + std::exp(2.0) + std::exp(1.0));
  EXPECT_NEAR(json["loss"], sum - (4 * 0 + 4 * 2 + 3 * 1) / 11.0, 1e-5);
  // class0 and class1 are equally frequent: F1 8/15 for one of them, too.
  EXPECT_NEAR(json["majority_macro_f1"], 8.0 / 15 / 3, 1e-12);
}

TEST_F(EvaluateConstant, PrintsClassTableAndConfusionMatrix) {
  const Outcome outcome = evaluate({"--checkpoint", network_, "--data", photos_});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, ::testing::ContainsRegex("class1 +0\\.3636 +1\\.0000 +0\\.5333 +4"));
  EXPECT_THAT(outcome.output, ::testing::ContainsRegex("truth . prediction +0 +1 +2\n"
                                                       " 0 class0 +0 +4 +0\n"
                                                       " 1 class1 +0 +4 +0\n"
                                                       " 2 class2 +0 +3 +0\n"));
  EXPECT_THAT(outcome.output, HasSubstr("macro F1 0.1778, accuracy 0.3636"));
  EXPECT_THAT(outcome.output, HasSubstr("over 11 images"));
}

TEST_F(EvaluateConstant, CsvHoldsAnAnswerAnImage) {
  const std::string out = folder_ / "answers.csv";
  EXPECT_EQ(evaluate({"--checkpoint", network_, "--data", photos_, "--out", out}).exit_code, 0);
  const Table table = read_plain_csv(out);
  ASSERT_EQ(table.size(), 12U);
  EXPECT_EQ(table[0], (Arguments{"path", "label", "prediction", "probability", "class0", "class1",
                                 "class2"}));
  EXPECT_EQ(table[9][0], "class2/photo00.png");
  EXPECT_EQ(table[9][1], "class2");
  EXPECT_EQ(table[9][2], "class1");
  const double sum = 1 + std::exp(2.0) + std::exp(1.0);
  EXPECT_NEAR(std::stod(table[9][3]), std::exp(2.0) / sum, 1e-6);
  EXPECT_NEAR(std::stod(table[9][6]), std::exp(1.0) / sum, 1e-6);
}

TEST_F(EvaluateConstant, ClassesAreMatchedByNameNotByNumber) {
  // The network's order is another one: its answer, number 0, is class2.
  save_constant(network_, {"class2", "class0", "class1"}, {5, 0, 0});
  const nlohmann::json json = scores({"--checkpoint", network_, "--data", photos_});
  EXPECT_EQ(json["class_names"], nlohmann::json({"class2", "class0", "class1"}));
  EXPECT_EQ(json["confusion_matrix"], nlohmann::json({{3, 0, 0}, {4, 0, 0}, {4, 0, 0}}));
  EXPECT_NEAR(json["accuracy"], 3.0 / 11, 1e-12);
}

TEST_F(EvaluateConstant, MissingClassesAreAnErrorUnlessAllowed) {
  fs::remove_all(photos_ + "/class0");
  const Arguments arguments = {"--checkpoint", network_, "--data", photos_};
  const Outcome outcome = evaluate(arguments);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("the data's classes:    class1, class2\n"));
  EXPECT_THAT(outcome.output, HasSubstr("the network's classes: class0, class1, class2\n"));
  EXPECT_THAT(outcome.output, HasSubstr("only in the data: none\n"));
  EXPECT_THAT(outcome.output, HasSubstr("only in the network: class0"));
  EXPECT_THAT(outcome.output, HasSubstr("--allow-missing-classes"));
  const nlohmann::json json = scores(arguments + Arguments{"--allow-missing-classes"});
  EXPECT_EQ(json["confusion_matrix"], nlohmann::json({{0, 0, 0}, {0, 4, 0}, {0, 3, 0}}));
  EXPECT_NEAR(json["macro_f1"], 8.0 / 11 / 2, 1e-12);  // of the two classes that occur
}

TEST_F(EvaluateConstant, ForeignClassesAreAnErrorAlways) {
  fs::rename(photos_ + "/class0", photos_ + "/other");
  const Outcome outcome =
      evaluate({"--checkpoint", network_, "--data", photos_, "--allow-missing-classes"});
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("only in the data: other\n"));
  EXPECT_THAT(outcome.output, HasSubstr("only in the network: class0"));
  EXPECT_THAT(outcome.output, Not(HasSubstr("--allow-missing-classes")));
}

TEST_F(EvaluateConstant, UnreadableImagesAreNamedAndLeftOutOnlyIfAllowed) {
  write_text(photos_ + "/class1/broken.png", "nothing");
  const Arguments arguments = {"--checkpoint", network_, "--data", photos_};
  const Outcome outcome = evaluate(arguments);
  EXPECT_EQ(outcome.exit_code, 1);
  EXPECT_THAT(outcome.output, HasSubstr("1 of 12 images cannot be read (--allow-bad"));
  EXPECT_THAT(outcome.output, HasSubstr("class1/broken.png"));
  const nlohmann::json json = scores(arguments + Arguments{"--allow-bad"});
  EXPECT_EQ(json["images"], 11);
  EXPECT_EQ(json["unreadable_images"][0]["path"], "class1/broken.png");
}

TEST_F(EvaluateConstant, EveryMistakeIsNamed) {
  const auto expect = [](const Arguments& arguments, int code, const std::string& text) {
    const Outcome outcome = evaluate(arguments);
    EXPECT_EQ(outcome.exit_code, code) << outcome.output;
    EXPECT_THAT(outcome.output, HasSubstr(text));
  };
  const Arguments network = {"--checkpoint", network_};
  const Arguments both = network + Arguments{"--data", photos_};
  expect({}, 2, "--run RUN and --checkpoint FILE");
  expect(both + Arguments{"--run", folder_ / "run"}, 2, "give one of");
  expect(network, 2, "--data: missing");
  expect({"--run", photos_, "--data", photos_}, 2, "fold_K/best.safetensors");
  expect({"--run", folder_ / "nowhere", "--data", photos_}, 2, "no such folder");
  expect({"--checkpoint", folder_ / "nowhere.safetensors", "--data", photos_}, 1, "nowhere");
  expect(network + Arguments{"--data", folder_ / "nowhere"}, 1, "nowhere");
  expect(both + Arguments{"--layout", "circle"}, 1, "circle");
  expect(both + Arguments{"--out", folder_ / "scores.txt"}, 2, ".json");
  expect(both + Arguments{"--out", folder_ / "absent/scores.json"}, 1, "absent/scores.json");
  expect(both + Arguments{"--batch-size", "0"}, 2, "--batch-size");
  expect(both + Arguments{"--speed", "3"}, 2, "evaluate --help");
  EXPECT_EQ(evaluate({"--help"}).exit_code, 0);
  EXPECT_THAT(evaluate({"--help"}).output, HasSubstr("Exit codes: 0 done, 1 failure, 2 usage."));
}

using EvaluateRun = TrainedRun;

TEST_F(EvaluateRun, AFoldOnItsValidationImagesRepeatsItsPredictions) {
  const std::string out = folder_ / "answers.csv";
  ASSERT_EQ(evaluate({"--checkpoint", folder_ / "run/fold_1/best.safetensors", "--data",
                      folder_ / "photos", "--out", out})
                .exit_code,
            0);
  std::map<std::string, std::vector<std::string>> answers;
  for (const auto& row : read_plain_csv(out)) answers[row[0]] = row;
  int compared = 0;
  for (const auto& row : read_plain_csv(folder_ / "run/fold_1/predictions.csv")) {
    if (row[0] == "path") continue;
    const auto& answer = answers.at(row[0]);
    EXPECT_EQ(answer[1], row[1]);
    EXPECT_EQ(answer[2], row[2]);
    EXPECT_NEAR(std::stod(answer[3]), std::stod(row[3]), 2e-6);
    ++compared;
  }
  EXPECT_EQ(compared, 18);
}

TEST_F(EvaluateRun, ARunAveragesItsFoldsAndSaysIfItSeesItsTrainingData) {
  draw_photos(folder_ / "test", {.members = 4, .seed = 7});
  const std::string out = folder_ / "answers.csv";
  const auto ask = [&](const Arguments& arguments) {
    const Outcome outcome = evaluate(arguments + Arguments{"--out", out});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
    return outcome.output;
  };
  Table each[2];
  for (int fold = 0; fold < 2; ++fold) {
    ask({"--checkpoint", folder_ / ("run/fold_" + std::to_string(fold) + "/best.safetensors"),
         "--data", folder_ / "test"});
    each[fold] = read_plain_csv(out);
  }
  const std::string text = ask({"--run", folder_ / "run", "--data", folder_ / "test"});
  EXPECT_THAT(text, HasSubstr("2 networks, their probabilities averaged"));
  EXPECT_THAT(text, Not(HasSubstr("too optimistic")));
  const Table together = read_plain_csv(out);
  ASSERT_EQ(together.size(), 13U);
  for (std::size_t i = 1; i < together.size(); ++i) {
    std::size_t best = 4;
    for (std::size_t c = 4; c < 7; ++c) {
      const double mean = (std::stod(each[0][i][c]) + std::stod(each[1][i][c])) / 2;
      EXPECT_NEAR(std::stod(together[i][c]), mean, 2e-6);
      if (std::stod(together[i][c]) > std::stod(together[i][best])) best = c;
    }
    EXPECT_EQ(together[i][2], together[0][best]);
  }
  EXPECT_THAT(ask({"--run", folder_ / "run", "--data", folder_ / "photos"}),
              HasSubstr("was trained on these data; these scores are too optimistic"));
}

}  // namespace
}  // namespace hanok::test
