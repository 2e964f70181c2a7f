#include "hanok/apps/options/options.h"

#include <algorithm>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <numeric>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/ranks.h"
#include "hanok/engine/sliced_batch.h"
#include "hanok/nn/state_dict.h"

namespace hanok::training {

const OptionEntry& find_option(const std::string& name) {
  std::vector<std::string> names;
  for (const OptionEntry& entry : option_table()) {
    if (entry.name == name) return entry;
    names.push_back(entry.name);
  }
  throw UsageError(fmt::format("unknown option \"{}\"; near names: {}", name,
                               fmt::join(nn::near_names(name, names), ", ")));
}

namespace {

void check_folds(const Options& options) {
  const bool hold_out = options.val_fraction > 0;
  if (hold_out && options.repeats > 1) {
    throw UsageError(
        "--repeats: repeats K-folds, --val-fraction makes one split; give one of them");
  }
  if (!options.folds_file.empty() && (hold_out || options.repeats > 1)) {
    throw UsageError("--folds-file: has the folds; --val-fraction and --repeats make others");
  }
  const bool other_split = hold_out || options.repeats > 1 || !options.folds_file.empty();
  if (options.folds.kind == FoldCount::Kind::Given && other_split) {
    throw UsageError(
        "--folds given: the data have the split; --val-fraction, --repeats and --folds-file make "
        "others");
  }
  if (!options.fold) return;
  if (hold_out && *options.fold != 0) {
    throw UsageError(
        fmt::format("--fold: --val-fraction makes one split, number 0; got {}", *options.fold));
  }
  const std::int64_t count = options.folds.number * options.repeats;
  const bool given = options.folds.kind == FoldCount::Kind::Given;
  if (options.folds_file.empty() && !hold_out && !given && *options.fold >= count) {
    throw UsageError(fmt::format("--fold: must be below --folds{} ({}), got {}",
                                 options.repeats > 1 ? " times --repeats" : "", count,
                                 *options.fold));
  }
}

/// --find-labels goes by predictions of networks that were not trained on the photograph: all
/// folds.
void check_find_labels(const Options& options) {
  if (!options.find_labels) return;
  const auto refuse = [](const std::string& option, const std::string& instead) {
    throw UsageError(
        fmt::format("--find-labels: needs for every photograph a fold that was not trained on it, "
                    "and {} trains one network only; {}",
                    option, instead));
  };
  if (options.fold) refuse(fmt::format("--fold {}", *options.fold), "take --fold all");
  if (options.val_fraction > 0) refuse("--val-fraction", "take --folds N instead");
  if (options.folds.kind == FoldCount::Kind::Given) refuse("--folds given", "take --folds N");
}

void check_loss(const Options& options) {
  if (options.noise_robust != NoiseRobust::None && options.loss != LossKind::CrossEntropy) {
    throw UsageError(
        fmt::format("--noise-robust, --loss: {} changes cross-entropy; give it without --loss {}",
                    name_of(options.noise_robust), name_of(options.loss)));
  }
  const double part = static_cast<double>(options.batch_size) /
                      static_cast<double>(std::max<std::int64_t>(1, options.accumulate));
  if (options.noise_robust == NoiseRobust::Trim && part > 0 && options.trim_share * part < 0.5) {
    throw UsageError(
        fmt::format("--trim-share: {} of {:.0f} images is none; {}", options.trim_share, part,
                    options.accumulate > 1 ? "each of --accumulate's parts of a batch is trimmed"
                                           : "give a larger share or a larger --batch-size"));
  }
  if (options.mixup > 0 && options.cutmix > 0) {
    throw UsageError("--mixup, --cutmix: a batch is mixed in one way; give one of them");
  }
  for (const auto& [name, alpha] :
       {std::pair("mixup", options.mixup), {"cutmix", options.cutmix}}) {
    if (alpha > 0 && alpha < 0.05) {
      throw UsageError(fmt::format("--{}: must be 0 or at least 0.05, got {}", name, alpha));
    }
  }
}

void check_slices(const Options& options) {
  const bool ranked = has_other_ranks();
  const std::string where = ranked ? "with several processes" : "with --slices";
  const auto refuse = [&where](const std::string& option, const std::string& why) {
    throw UsageError(fmt::format("{}: not {}: {}", option, where, why));
  };
  if (!ranked && options.slices <= 1) return;
  if (options.slices > 0) {
    try {
      SlicedBatch::check(options.slices, ranks().size());
    } catch (const ValueError& error) {
      throw UsageError(fmt::format("--slices: {}", error.what()));
    }
  }
  if (options.virtual_batch) refuse("--virtual-batch", "slices meet at batch norm anyway");
  if (options.noise_robust == NoiseRobust::Trim) {
    refuse("--noise-robust trim", "the largest losses of the whole batch are not known in a slice");
  }
  if (options.detect_anomaly) refuse("--detect-anomaly", "run the epoch again in one process");
  if (options.accumulate > 1 && (options.mixup > 0 || options.cutmix > 0) && ranked) {
    refuse("--accumulate beside --mixup and --cutmix", "a part's images mix with another part's");
  }
  if (options.local_batch_norm && options.slices > ranks().size()) {
    refuse("--local-batch-norm beside --slices", "it normalises over one slice a process");
  }
  if (!ranked) return;
  if (options.batch_size == 0) refuse("--batch-size auto", "give the size of all processes' batch");
  if (options.cache_features == Caching::Yes) {
    refuse("--cache-features yes", "every epoch gives a process other images");
  }
}

}  // namespace

void check_options(const Options& options) {
  if (options.data.empty()) throw UsageError("--data: missing; name the folder with the images");
  check_folds(options);
  check_find_labels(options);
  check_loss(options);
  if (options.warmup > 0 && options.scheduler == ScheduleKind::OneCycle) {
    throw UsageError("--warmup: one-cycle warms up by itself; take --scheduler cosine or constant");
  }
  if (options.detect_anomaly && options.profile) {
    throw UsageError("--detect-anomaly: would count in the times of --profile; give one of them");
  }
  check_slices(options);
  if (options.batch_size > 0 && options.accumulate > options.batch_size) {
    throw UsageError(fmt::format("--accumulate: {} parts of a batch of {} images",
                                 options.accumulate, options.batch_size));
  }
}

std::vector<int> selected_folds(const Options& options, int fold_count) {
  if (options.fold) {
    if (*options.fold >= fold_count) {
      throw UsageError(fmt::format("--fold: must be below {}, the number of folds; got {}",
                                   fold_count, *options.fold));
    }
    return {static_cast<int>(*options.fold)};
  }
  std::vector<int> folds(static_cast<std::size_t>(fold_count));
  std::iota(folds.begin(), folds.end(), 0);
  return folds;
}

}  // namespace hanok::training
