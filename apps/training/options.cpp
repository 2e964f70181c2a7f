#include "apps/training/options.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <limits>
#include <numeric>

#include "apps/training/errors.h"
#include "nn/models/registry.h"
#include "nn/state_dict.h"

namespace hanok::training {
namespace {

using Kind = OptionEntry::Kind;
using Texts = std::vector<std::string>;

std::string single(const std::string& name, const Texts& values) {
  if (values.size() != 1) {
    throw UsageError(fmt::format("--{}: expects one value, got {}", name, values.size()));
  }
  return values[0];
}

template <typename Number>
Number parse_number(const std::string& name, const std::string& text, const char* what) {
  Number value{};
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || stop != end || text.empty()) {
    throw UsageError(fmt::format("--{}: expects {}, got \"{}\"", name, what, text));
  }
  return value;
}

OptionEntry text(const char* section, const char* name, const char* value_name, const char* help,
                 std::string Options::*member, Texts choices = {}) {
  OptionEntry entry{section, name, value_name, help, Kind::Text, std::move(choices), {}, {}};
  entry.get = [member](const Options& options) { return Texts{options.*member}; };
  entry.set = [member, entry_name = entry.name, allowed = entry.choices](Options& options,
                                                                         const Texts& values) {
    const std::string value = single(entry_name, values);
    bool found = allowed.empty();
    for (const std::string& choice : allowed) found = found || choice == value;
    if (!found) {
      throw UsageError(fmt::format("--{}: expects one of {}; got \"{}\"", entry_name,
                                   fmt::join(allowed, ", "), value));
    }
    options.*member = value;
  };
  return entry;
}

template <typename Number>
OptionEntry integer(const char* section, const char* name, const char* help,
                    Number Options::*member, Number low,
                    Number high = std::numeric_limits<Number>::max()) {
  OptionEntry entry{section, name, "N", help, Kind::Integer, {}, {}, {}};
  entry.get = [member](const Options& options) { return Texts{std::to_string(options.*member)}; };
  entry.set = [member, low, high, entry_name = entry.name](Options& options, const Texts& values) {
    const auto value =
        parse_number<Number>(entry_name, single(entry_name, values), "a whole number");
    if (value < low || value > high) {
      throw UsageError(
          high == std::numeric_limits<Number>::max()
              ? fmt::format("--{}: must be at least {}, got {}", entry_name, low, value)
              : fmt::format("--{}: must lie between {} and {}, got {}", entry_name, low, high,
                            value));
    }
    options.*member = value;
  };
  return entry;
}

/// A finite number in [low, high); `open_low` leaves out `low` itself.
OptionEntry real(const char* section, const char* name, const char* help, double Options::*member,
                 double low, double high, bool open_low = false) {
  OptionEntry entry{section, name, "X", help, Kind::Real, {}, {}, {}};
  entry.get = [member](const Options& options) {
    return Texts{fmt::format("{}", options.*member)};
  };
  entry.set = [=, entry_name = entry.name](Options& options, const Texts& values) {
    const auto value = parse_number<double>(entry_name, single(entry_name, values), "a number");
    if (!std::isfinite(value) || value < low || value >= high || (open_low && value == low)) {
      throw UsageError(std::isinf(high)
                           ? fmt::format("--{}: must be {} {}, got {}", entry_name,
                                         open_low ? "above" : "at least", low, value)
                           : fmt::format("--{}: must be {} {} and below {}, got {}", entry_name,
                                         open_low ? "above" : "at least", low, high, value));
    }
    options.*member = value;
  };
  return entry;
}

OptionEntry toggle(const char* section, const char* name, const char* help, bool Options::*member) {
  OptionEntry entry{section, name, "", help, Kind::Switch, {}, {}, {}};
  entry.get = [member](const Options& options) {
    return Texts{options.*member ? "true" : "false"};
  };
  entry.set = [member, entry_name = entry.name](Options& options, const Texts& values) {
    const std::string value = single(entry_name, values);
    if (value != "true" && value != "false") {
      throw UsageError(fmt::format("--{}: expects true or false, got \"{}\"", entry_name, value));
    }
    options.*member = value == "true";
  };
  return entry;
}

OptionEntry list(const char* section, const char* name, const char* value_name, const char* help,
                 std::vector<std::string> Options::*member) {
  OptionEntry entry{section, name, value_name, help, Kind::List, {}, {}, {}};
  entry.get = [member](const Options& options) { return options.*member; };
  entry.set = [member](Options& options, const Texts& values) { options.*member = values; };
  return entry;
}

/// --fold takes a number or "all".
OptionEntry fold_option() {
  OptionEntry entry =
      text("Data", "fold", "I", "train only fold I (0 is the first), or all", &Options::fold);
  entry.set = [](Options& options, const Texts& values) {
    const std::string value = single("fold", values);
    if (value != "all" &&
        parse_number<std::int64_t>("fold", value, "a fold's number or \"all\"") < 0) {
      throw UsageError(fmt::format("--fold: must be at least 0, got {}", value));
    }
    options.fold = value;
  };
  return entry;
}

std::vector<OptionEntry> make_table() {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<OptionEntry> table;
  auto add = [&table](OptionEntry entry) { table.push_back(std::move(entry)); };

  add(text("Data", "data", "DIR", "folder with the images", &Options::data));
  add(text("Data", "layout", "L",
           "how the folder is laid out: a folder per class, or the mask competition's train.csv",
           &Options::layout, {"auto", "folder", "competition"}));
  add(text("Data", "group", "G",
           "auto: files of one person or photograph never cross folds; none: every file by itself",
           &Options::group, {"auto", "none"}));
  add(integer<std::int64_t>("Data", "folds", "number of stratified folds", &Options::folds, 2,
                            1000));
  add(fold_option());
  add(real("Data", "val-fraction",
           "above 0: one stratified hold-out of this share instead of folds",
           &Options::val_fraction, 0, 1));
  add(toggle("Data", "allow-bad", "go on even if more than 5% of the images cannot be read",
             &Options::allow_bad));

  add(text("Model", "model", "NAME", "network", &Options::model, nn::model_names()));
  add(text("Model", "weights", "W",
           "imagenet, none (random), or a .pth or .safetensors file to start from",
           &Options::weights));
  add(text("Model", "mode", "M",
           "feature-extraction: only the head learns; finetune: everything; gradual: the head "
           "first, then block by block",
           &Options::mode, {"feature-extraction", "finetune", "gradual"}));
  add(list("Model", "freeze", "GLOB",
           "keep matching parameters or layers as they are, e.g. 'layer[12]*'; repeatable",
           &Options::freeze));

  add(integer<std::int64_t>("Training", "epochs", "passes over the training images",
                            &Options::epochs, 1));
  add(integer<std::int64_t>("Training", "batch-size", "images a step", &Options::batch_size, 1));
  add(text("Training", "optimizer", "O", "update rule (sgd has Nesterov momentum 0.9)",
           &Options::optimizer, {"adamw", "adam", "sgd"}));
  add(real("Training", "lr", "learning rate (its highest value, under a schedule)", &Options::lr, 0,
           infinity, true));
  add(real("Training", "weight-decay", "weight decay", &Options::weight_decay, 0, infinity));
  add(text("Training", "scheduler", "S", "course of the learning rate", &Options::scheduler,
           {"one-cycle", "cosine", "constant"}));
  add(text("Training", "class-weights", "C",
           "balanced: a rare class's images count for more in the loss", &Options::class_weights,
           {"none", "balanced"}));
  add(integer<std::int64_t>("Training", "max-steps", "end each fold after N steps; 0: no limit",
                            &Options::max_steps, 0));

  add(integer<std::int64_t>("Images", "image-size", "images are scaled to N x N pixels",
                            &Options::image_size, 8, 4096));
  add(text("Images", "augment", "A", "light: random flips and small shifts", &Options::augment,
           {"none", "light"}));

  add(integer<std::int64_t>("Stopping and reports", "patience",
                            "epochs without improvement before a fold ends; 0: never ends early",
                            &Options::patience, 0));
  add(real("Stopping and reports", "min-delta", "smallest change that counts as an improvement",
           &Options::min_delta, 0, infinity));
  add(text("Stopping and reports", "monitor", "V",
           "what tells the best epoch, whose weights are kept", &Options::monitor,
           {"val_loss", "val_f1"}));
  add(list("Stopping and reports", "report-subset", "GLOB",
           "also report macro F1 on validation files whose path or name matches; repeatable",
           &Options::report_subset));
  add(toggle("Stopping and reports", "baselines",
             "also train on shuffled labels and report that macro F1", &Options::baselines));

  add(integer<std::uint64_t>("Machine", "seed", "of all random numbers", &Options::seed, 0));
  add(integer<std::int64_t>("Machine", "threads",
                            "compute threads; 0: one a CPU. The result does not depend on it",
                            &Options::threads, 0, 1024));
  add(integer<std::int64_t>("Machine", "workers",
                            "threads that read images ahead. The result does not depend on it",
                            &Options::workers, 1, 256));
  add(text("Machine", "device", "D", "where to compute; auto takes the best there is",
           &Options::device, {"auto", "cpu"}));
  return table;
}

}  // namespace

const std::vector<OptionEntry>& option_table() {
  static const std::vector<OptionEntry> table = make_table();
  return table;
}

const OptionEntry& find_option(const std::string& name) {
  std::vector<std::string> names;
  for (const OptionEntry& entry : option_table()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  throw UsageError(fmt::format("unknown option \"{}\"; near names: {}", name,
                               fmt::join(nn::near_names(name, names), ", ")));
}

void check_options(const Options& options) {
  if (options.data.empty()) throw UsageError("--data: missing; name the folder with the images");
  if (options.val_fraction == 0 && options.fold != "all" &&
      std::stoll(options.fold) >= options.folds) {
    throw UsageError(
        fmt::format("--fold: must be below --folds ({}), got {}", options.folds, options.fold));
  }
  if (options.val_fraction > 0 && options.fold != "all" && options.fold != "0") {
    throw UsageError(
        fmt::format("--fold: --val-fraction makes one split, number 0; got {}", options.fold));
  }
}

std::vector<int> selected_folds(const Options& options) {
  if (options.val_fraction > 0) return {0};
  if (options.fold != "all") return {std::stoi(options.fold)};
  std::vector<int> folds(static_cast<std::size_t>(options.folds));
  std::iota(folds.begin(), folds.end(), 0);
  return folds;
}

}  // namespace hanok::training
