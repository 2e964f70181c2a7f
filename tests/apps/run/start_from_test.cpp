// Training starts from files of other people; prediction takes only what fits whole.
#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/checkpoint.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/training/start_weights.h"
#include "hanok/kernels/base/error.h"
#include "hanok/nn/models/registry.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

class StartFrom : public testing::Test {
 protected:
  StartFrom() { std::filesystem::create_directories(folder_); }
  ~StartFrom() override { std::filesystem::remove_all(folder_); }

  /// Writes a model's tensors, each name behind `prefix`, without those that start with `drop`.
  void write(const std::string& model, std::int64_t classes, const std::string& prefix = "",
             const std::string& drop = "-") {
    nn::StateDict tensors;
    for (const auto& [name, tensor] : nn::make_model(model, classes, 32)->state_dict()) {
      if (!name.starts_with(drop)) tensors.insert(prefix + name, tensor);
    }
    weights::save_safetensors(path_, tensors);
  }
  StartReport start(const std::string& model, const std::vector<weights::Rename>& renames = {}) {
    const auto network = make_network(model, /*classes=*/3, /*image_size=*/32, hidden_);
    return start_from(*network, model, {.path = path_, .renames = renames});
  }
  template <typename Error, typename Action>
  static void expect_error(const Action& action, const std::string& part) {
    try {
      action();
      ADD_FAILURE() << "accepted: " << part;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(part));
    }
  }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("hanok-start-" + std::to_string(::getpid()));
  const std::string path_ = (folder_ / "w.safetensors").string();
  std::vector<std::int64_t> hidden_;
};

TEST_F(StartFrom, TakesBackbonesAndWrappedNetworks) {
  write("lenet", 3, "model.net.");
  EXPECT_FALSE(start("lenet").head_kept);
  EXPECT_THAT(start("lenet").notes, Contains(HasSubstr("'model.net.' was removed")));
  write("lenet", 3, "", "fc3.");
  EXPECT_TRUE(start("lenet").head_kept);
  write("lenet", 3);
  hidden_ = {8};  // the head is a sequence of its own
  EXPECT_TRUE(start("lenet").head_kept);
}

TEST_F(StartFrom, RenamesAsAsked) {
  write("lenet", 3, "", "conv1.");
  nn::StateDict tensors = weights::load(path_).tensors;
  const nn::StateDict own = nn::make_model("lenet", 3, 32)->state_dict();
  tensors.insert("stem.weight", own.at("conv1.weight"));
  tensors.insert("stem.bias", own.at("conv1.bias"));
  weights::save_safetensors(path_, tensors);
  expect_error<ValueError>([&] { start("lenet"); },
                           "missing: conv1.weight [6,3,5,5]; of this shape");
  EXPECT_FALSE(start("lenet", {{"stem", "conv1"}}).head_kept);
}

TEST_F(StartFrom, ReadsTheOptionRename) {
  Options options;
  options.rename = {"stem=conv1", "encoder.="};
  const std::vector<weights::Rename> renames = start_renames(options);
  ASSERT_EQ(renames.size(), 2u);
  EXPECT_EQ(renames[0].from, "stem");
  EXPECT_EQ(renames[0].to, "conv1");
  EXPECT_EQ(renames[1].from, "encoder");
  options.rename = {"stem"};
  expect_error<UsageError>([&] { start_renames(options); }, "--rename stem: is not FROM=TO");
}

TEST_F(StartFrom, NamesTheModelThatARefusedFileFits) {
  write("resnet34", 3);
  expect_error<ValueError>([&] { start("resnet18"); }, "it fits --model resnet34");
}

TEST_F(StartFrom, PredictionNeedsAHead) {
  write("resnet18", 3, "module.encoder.");
  EXPECT_EQ(load_bare_model("resnet18", path_).card.class_names.size(), 3u);
  write("resnet18", 3, "", "fc.");
  expect_error<FormatError>([&] { load_bare_model("resnet18", path_); },
                            "a network without a head cannot predict");
  nn::StateDict tensors = weights::load(path_).tensors;
  tensors.insert("last_linear.weight", Tensor::zeros({3, 512}));
  weights::save_safetensors(path_, tensors);
  expect_error<FormatError>([&] { load_bare_model("resnet18", path_); }, "--rename last_linear=fc");
}

}  // namespace
}  // namespace hanok::training
