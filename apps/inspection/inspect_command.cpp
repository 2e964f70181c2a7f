#include "hanok/apps/inspection/inspect_command.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <functional>
#include <string>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/cli/signals.h"
#include "hanok/apps/experiment/verify.h"
#include "hanok/apps/inspection/inspect.h"
#include "hanok/apps/options/options.h"
#include "hanok/apps/options/reading_options.h"
#include "hanok/engine/runtime.h"
#include "hanok/nn/models/registry.h"

namespace hanok::inspection {
namespace {

using training::require_between;
using training::UsageError;

/// What the command line requests, whichever command it names.
struct Request {
  DataOptions data;
  ModelOptions model;
  std::string weights;
  training::VerifyOptions verify;
  AugmentOptions augment;
  std::int64_t threads = 0;
};

CLI::App* add_data(CLI::App& app, Request& request) {
  CLI::App* command = app.add_subcommand(
      "data",
      "What training will get from a folder of photographs: classes, sizes, formats,\n"
      "unreadable, skipped and duplicate files, near duplicates, odd photographs, labels\n"
      "that contradict each other, classes by group. Changes nothing in the folder.");
  command->add_option("DIR", request.data.data, "a data set's folder, or its table (.csv)")
      ->required();
  training::add_layout_options(*command, request.data.reading);
  command->add_flag("--all", request.data.all, "list everything, not the first 20 of a kind");
  command
      ->add_option("--report", request.data.report,
                   "write a page with pictures, charts and these findings")
      ->type_name("FILE.html");
  command
      ->add_option_function<std::string>(
          "--group",
          [&request](const std::string& text) {
            request.data.group = training::parse_grouping(text);
          },
          "auto, none, or a table with columns path and group, as finetune's")
      ->type_name("auto|none|FILE");
  command
      ->add_option("--groups-out", request.data.groups_out,
                   "write groups that keep duplicates together: finetune --group takes them")
      ->type_name("FILE.csv");
  command
      ->add_option("--features", request.data.features,
                   "find near duplicates also by the features of this network, such as resnet18")
      ->type_name("NAME");
  command
      ->add_option("--features-weights", request.data.features_weights,
                   "its weights: imagenet, or a bare state_dict (.pth, .safetensors)")
      ->capture_default_str();
  command
      ->add_option("--against", request.data.against,
                   "compare with these photographs, such as a test set: do they look alike, who is "
                   "in both")
      ->type_name("DIR");
  command->add_flag("--faces", request.data.faces,
                    "also find faces (MTCNN, several photographs a second): how often in each "
                    "class, where, what to crop; ./dev weights mtcnn installs the detector");
  command->add_option("--threads", request.threads, "reading threads; 0: one per CPU");
  command->footer(
      "Duplicates are files of equal bytes; near duplicates look the same after scaling or new\n"
      "compression. Photographs of one group (a person) never cross folds; a duplicate in another\n"
      "group does, and makes the validation look better than it is. Of two equal photographs with\n"
      "different classes, one label is wrong.\n"
      "Example: inspect data photos/\n"
      "Example: inspect data photos/ --report photos.html --groups-out groups.csv\n"
      "         finetune --data photos/ --group groups.csv --out runs/first");
  return command;
}

CLI::App* add_model(CLI::App& app, Request& request) {
  CLI::App* command = app.add_subcommand(
      "model",
      "A network as a tree: output shapes, parameters, FLOPs and kernels of each layer,\n"
      "then the ops of a forward pass over one image.");
  command
      ->add_option("NAME", request.model.model,
                   fmt::format("one of: {}", fmt::join(nn::model_names(), ", ")))
      ->required();
  command->add_option("--image-size", request.model.image_size, "side of the square image")
      ->capture_default_str();
  command->add_option("--classes", request.model.classes, "number of classes")
      ->capture_default_str();
  command->add_option("--dot", request.model.dot, "write the graph of the pass to this file")
      ->type_name("FILE");
  command->add_flag("--kernels", request.model.kernels,
                    "the algorithm that this CPU chooses for each convolution: forward, backward\n"
                    "data, backward weights");
  command->add_option("--batch", request.model.batch, "images of a step, for --kernels")
      ->capture_default_str();
  command->footer(
      "Shapes are [images, channels, height, width]. A FLOP is one addition or multiplication: a\n"
      "multiply-add counts as two. Only convolutions and linear layers are counted.\n"
      "Example: inspect model resnet18 --classes 18\n"
      "Example: inspect model resnet18 --kernels --batch 16");
  return command;
}

CLI::App* add_weights(CLI::App& app, Request& request) {
  CLI::App* command = app.add_subcommand(
      "weights",
      "What is in a weight file (.pth or safetensors): names, shapes, types, minimum,\n"
      "maximum, mean and standard deviation of each tensor. No code in it is run.");
  command->add_option("FILE", request.weights, "the file")->required();
  command->footer("Example: inspect weights runs/first/fold_0/best.safetensors");
  return command;
}

CLI::App* add_devices(CLI::App& app) {
  return app.add_subcommand(
      "devices",
      "What this machine offers: processor, cores, instruction-set path, memory "
      "budget, CUDA.");
}

CLI::App* add_augment(CLI::App& app, Request& request) {
  AugmentOptions& options = request.augment;
  CLI::App* command = app.add_subcommand(
      "augment",
      "Draws one photograph as training sees it: a row for each kind of augmentation, a\n"
      "column for each epoch, the photograph itself in front.");
  command->add_option("SOURCE", options.source, "a data set's folder or table, or one photograph")
      ->required();
  command->add_option("--out", options.out, "picture to write (.png or .jpg)")
      ->required()
      ->type_name("FILE");
  command->add_option("--augment", options.kinds,
                      "rows: none, light, strong, randaugment, TOML files of transforms, single "
                      "transforms (inspect transforms lists them), mixup, cutmix; all: everything");
  command->add_option("--alpha", options.alpha, "of mixup and cutmix, as finetune's --mixup")
      ->capture_default_str();
  command->add_option("--epochs", options.epochs, "columns")->capture_default_str();
  command->add_option("--image-size", options.image_size, "side of each picture")
      ->capture_default_str();
  command->add_option("--sample", options.sample, "which photograph of the data set; 0: the first")
      ->capture_default_str();
  command->add_option("--seed", options.seed, "as finetune's")->capture_default_str();
  training::add_layout_options(*command, options.reading);
  command->footer(
      "With the same --seed, --image-size and --augment these are exactly the images that "
      "finetune\n"
      "trains with, as long as no file before this one is unreadable.\n"
      "Example: inspect augment photos/ --sample 12 --out sheet.png");
  return command;
}

CLI::App* add_transforms(CLI::App& app) {
  CLI::App* command = app.add_subcommand(
      "transforms",
      "The transforms that a TOML file for --augment can list, with their parameters,\n"
      "their defaults and their ranges.");
  command->footer(
      "Such a file has a table for each transform, in the order in which they are applied:\n"
      "  [[transform]]\n"
      "  name = \"rotate\"\n"
      "  probability = 0.5\n"
      "  degrees = 20\n"
      "docs/augment.toml is an example: it is what --augment strong does.");
  return command;
}

CLI::App* add_verify(CLI::App& app, Request& request) {
  CLI::App* command = app.add_subcommand(
      "verify",
      "Trains epochs of a run again, on this machine, and says whether they are the same bits.\n"
      "Changes nothing in the run's folder.");
  command->add_option("RUN", request.verify.run, "a run's folder; it may still be training")
      ->required();
  command
      ->add_option("--epoch", request.verify.epoch,
                   "repeat up to this epoch, from the newest checkpoint before it or from the "
                   "start weights; without: the epochs after the checkpoints at hand, else the "
                   "first")
      ->type_name("N");
  command->add_option("--fold", request.verify.fold, "the fold; without: the first one")
      ->type_name("I");
  command->add_option("--threads", request.threads, "compute threads; 0: one per CPU");
  command->footer(
      "Compared are the hash chain of the weights, losses and scores in metrics.jsonl. Where they\n"
      "differ: the first epoch (with --log-steps: step) that does, what has changed since\n"
      "(environment.json), and whether this machine repeats itself, else the first op that "
      "differs.\n"
      "Exit codes: 0 the same bits, 1 others.\n"
      "Example: inspect verify runs/first --epoch 3");
  return command;
}

void check(const Request& request) {
  require_between("--threads", request.threads, 0, training::kMostThreads);
  require_between("--classes", request.model.classes, 1, 1'000'000);
  require_between("--image-size", request.model.image_size, 1, 4096);
  require_between("--batch", request.model.batch, 1, 65536);
  require_between("--image-size", request.augment.image_size, 1, 4096);
  require_between("--epochs", request.augment.epochs, 1, 100);
  if (!(request.augment.alpha >= 0.05 && request.augment.alpha <= 100)) {
    throw UsageError(
        fmt::format("--alpha: must lie between 0.05 and 100, got {}", request.augment.alpha));
  }
  require_between("--sample", request.augment.sample, 0, INT32_MAX);
}

}  // namespace

int inspect_command(training::Arguments arguments, Reporter& reporter) {
  Request request;
  CLI::App app("Shows what is in data, networks, weight files and this machine.\n", "inspect");
  app.require_subcommand(1);
  // The chosen command's report: made when the whole line has been parsed and checked.
  std::function<void()> report;
  const auto on_choice = [&report](CLI::App* command, std::function<void()> work) {
    command->callback([&report, work = std::move(work)] { report = work; });
  };
  // Only these look whether they were interrupted.
  const auto on_photographs = [&on_choice](CLI::App* command, std::function<void()> work) {
    on_choice(command, [work = std::move(work)] {
      training::watch_for_interrupts();
      work();
    });
  };
  on_photographs(add_data(app, request), [&] { inspect_data(request.data, reporter); });
  on_choice(add_model(app, request), [&] { inspect_model(request.model, reporter); });
  on_choice(add_weights(app, request), [&] { inspect_weights(request.weights, reporter); });
  on_choice(add_devices(app), [&] { inspect_devices(reporter); });
  on_photographs(add_augment(app, request), [&] { inspect_augment(request.augment, reporter); });
  int exit_code = training::kSuccess;
  on_photographs(add_verify(app, request), [&] {
    request.verify.threads = request.threads;
    if (!training::verify_run(request.verify, reporter)) exit_code = training::kFailure;
  });
  on_choice(add_transforms(app), [&] { inspect_transforms(reporter); });
  app.footer("inspect COMMAND --help explains each. Exit codes: 0 done, 1 failure, 2 usage.");
  training::add_manual_options(app, reporter);
  if (!training::parse_arguments(app, arguments, reporter)) return training::kSuccess;
  check(request);
  if (request.threads > 0) set_num_threads(static_cast<int>(request.threads));
  report();
  return exit_code;
}

}  // namespace hanok::inspection
