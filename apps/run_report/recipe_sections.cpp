// How a run was made: what was frozen when, which options differ from their defaults, what it took.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <map>
#include <memory>
#include <sstream>
#include <utility>

#include "hanok/apps/cli/progress.h"
#include "hanok/apps/cli/version_text.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/run/fnv_hash.h"
#include "hanok/apps/run/network.h"
#include "hanok/apps/run_report/sections.h"
#include "hanok/apps/training/freezing.h"
#include "hanok/nn/models/registry.h"

namespace hanok::run_report {
namespace {

using training::FoldResult;
using training::FreezingPlan;
using training::OptionEntry;

struct Plan {
  std::unique_ptr<nn::Module> model;
  FreezingPlan freezing;
};
Plan plan_of(const RunRecord& run) {
  const training::Options& options = run.options;
  std::unique_ptr<nn::Module> model =
      training::make_network(options.model, static_cast<std::int64_t>(run.class_names().size()),
                             options.image_size, options.hidden);
  FreezingPlan freezing(*model, nn::head_name(options.model), training::freezing_rules(options));
  return {std::move(model), std::move(freezing)};
}

std::string mebibytes(std::int64_t bytes) {
  return fmt::format("{:.0f} MiB", static_cast<double>(bytes) / (1 << 20));
}

/// 64-bit FNV-1a, as of the weights.
std::string hash_of(const std::string& text) {
  training::FnvHash hash;
  hash.add(text);
  return hash.hex();
}

double images_per_second(std::int64_t images, double seconds) {
  return seconds > 0 ? static_cast<double>(images) / seconds : 0;
}

/// How many numbers learned from which epoch on, by the epochs of the first fold that has any.
pages::Table trained_table(const RunRecord& run) {
  pages::Table table{.caption = "Parameters that were trained, as measured",
                     .columns = {"from epoch", "parameters"}};
  std::int64_t before = -1;
  for (const training::EpochMetrics& epoch : run.epochs_of(run.epochs.front().fold)) {
    if (epoch.trainable_parameters == before) continue;
    before = epoch.trainable_parameters;
    table.rows.push_back({std::to_string(epoch.epoch), std::to_string(before)});
  }
  return table;
}

}  // namespace

std::vector<Unfreezing> unfreezings_by_name(const RunRecord& run) {
  std::map<std::int64_t, std::vector<std::string>> by_epoch;
  const Plan plan = plan_of(run);
  for (const FreezingPlan::Part& part : plan.freezing.parts()) {
    if (part.first_epoch < 1 || part.first_epoch >= run.options.epochs) continue;
    by_epoch[part.first_epoch + 1].push_back(part.name);
  }
  std::vector<Unfreezing> out;
  for (const auto& [epoch, names] : by_epoch) {
    const bool one = names.size() == 1;
    out.push_back({epoch, one ? names[0] : fmt::format("{} (+{})", names[0], names.size() - 1)});
  }
  return out;
}

Blocks freezing_section(const RunRecord& run) {
  Plan plan = plan_of(run);
  std::vector<std::int64_t> parameters(plan.freezing.parts().size(), 0);
  for (const nn::NamedTensor& parameter : plan.model->named_parameters()) {
    parameters[plan.freezing.part_of(parameter.name)] += parameter.tensor.numel();
  }
  pages::Table table{.caption = "Parts of the network from the head to the stem",
                     .columns = {"part", "parameters", "learns"},
                     .text_columns = {2}};
  for (std::size_t i = 0; i < plan.freezing.parts().size(); ++i) {
    const FreezingPlan::Part& part = plan.freezing.parts()[i];
    const bool never = part.first_epoch < 0 || part.first_epoch >= run.options.epochs;
    table.rows.push_back({part.name, std::to_string(parameters[i]),
                          never ? "never: frozen, as it started"
                                : fmt::format("from epoch {}", part.first_epoch + 1)});
  }
  Blocks out;
  out.push_back(pages::Section{.id = "freezing", .title = "What was trained, and when"});
  out.push_back(pages::Paragraph{
      .text = fmt::format("{} from {}, --mode {}.", run.options.model,
                          run.options.weights.source == training::StartWeights::Source::ImageNet
                              ? "ImageNet's weights"
                          : run.options.weights.source == training::StartWeights::Source::Random
                              ? "random weights"
                              : run.options.weights.file,
                          training::name_of(run.options.mode))});
  out.push_back(std::move(table));
  if (!run.epochs.empty()) out.push_back(trained_table(run));
  return out;
}

Blocks settings_section(const RunRecord& run) {
  const training::Options defaults;
  pages::Table table{.caption = "Options that differ from their defaults",
                     .columns = {"option", "value", "default"},
                     .text_columns = {1, 2},
                     .shown = 60};
  for (const OptionEntry& entry : training::option_table()) {
    const std::string value = fmt::format("{}", fmt::join(entry.get(run.options), ", "));
    const std::string usual = fmt::format("{}", fmt::join(entry.get(defaults), ", "));
    if (value == usual) continue;
    table.rows.push_back({"--" + entry.name, value, usual.empty() ? "(none)" : usual});
  }
  Blocks out;
  out.push_back(pages::Section{.id = "settings", .title = "Settings"});
  out.push_back(std::move(table));
  out.push_back(pages::Paragraph{
      .text =
          fmt::format("`finetune --config {}/config.toml --out NEW` repeats the run.", run.path)});
  return out;
}

Blocks cost_section(const RunRecord& run) {
  Blocks out;
  out.push_back(pages::Section{.id = "costs", .title = "Time, memory, hashes"});
  pages::Table table{.caption = "Folds",
                     .columns = {"fold", "seconds", "of these training", "images/s", "steps",
                                 "memory", "weights (best)", "weights (last)"},
                     .text_columns = {6, 7}};
  double seconds = 0;
  double training_seconds = 0;
  std::int64_t images = 0;
  std::int64_t peak = 0;
  for (const FoldResult& fold : run.folds) {
    seconds += fold.seconds;
    training_seconds += fold.training_seconds;
    images += fold.images_trained;
    peak = std::max(peak, fold.peak_memory_bytes);
    table.rows.push_back(
        {fmt::format("fold {}", fold.fold), fmt::format("{:.1f}", fold.seconds),
         fmt::format("{:.1f}", fold.training_seconds),
         fmt::format("{:.0f}", images_per_second(fold.images_trained, fold.training_seconds)),
         std::to_string(fold.steps), mebibytes(fold.peak_memory_bytes), fold.weights_hash,
         fold.last_weights_hash});
  }
  pages::Facts facts;
  if (!run.folds.empty()) {
    facts.rows = {{"time", training::duration_text(seconds)},
                  {"speed", fmt::format("{:.0f} images/s while training",
                                        images_per_second(images, training_seconds))},
                  {"memory", mebibytes(peak) + " at most (the process)"}};
    for (const FoldResult& fold : run.folds) {
      std::string how;
      if (fold.recomputed_blocks > 0) {
        how += fmt::format("activations of {} blocks were computed twice", fold.recomputed_blocks);
      }
      if (fold.split_into > 0) {
        how += fmt::format("{}batches were computed in {} parts", how.empty() ? "" : ", ",
                           fold.split_into);
      }
      if (how.empty()) continue;
      facts.rows.emplace_back(fmt::format("fold {}", fold.fold), "memory was short: " + how);
    }
  }
  const training::RunFolder folder = training::RunFolder::open(run.path);
  facts.rows.emplace_back("folds.csv", hash_of(training::read_file(folder.folds())));
  std::istringstream versions(training::version_text("report"));
  std::string line;
  for (int number = 0; std::getline(versions, line); ++number) {
    facts.rows.emplace_back(number == 0 ? "page written by" : "", line);
  }
  out.push_back(std::move(facts));
  if (!run.folds.empty()) out.push_back(std::move(table));
  return out;
}

}  // namespace hanok::run_report
