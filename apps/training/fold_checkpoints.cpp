#include "hanok/apps/training/fold_checkpoints.h"

#include <filesystem>
#include <fmt/format.h>
#include <map>
#include <system_error>
#include <utility>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/samples/cropped_data.h"
#include "hanok/apps/training/samples/image_loading.h"
#include "hanok/engine/allocator.h"
#include "hanok/kernels/base/error.h"
#include "hanok/weights/atomic_file.h"
#include "hanok/weights/file_checksum.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kStateVersion = 1;
constexpr double kSaveShare = 0.05;  // saving may take this share of the time

}  // namespace

FoldCheckpoints::FoldCheckpoints(const FoldJob& job, const FoldSamples& samples,
                                 TrainingSetup& setup)
    : job_(job), samples_(samples), setup_(setup), last_saved_(Clock::now()) {}

ModelCard FoldCheckpoints::card() const {
  return {.model = job_.options.model,
          .class_names = samples_.dataset.class_names,
          .preprocessing = preprocessing(job_.options),
          .hidden = job_.options.hidden,
          .face_crop = face_crop(job_.options, job_.data)};
}

void FoldCheckpoints::save_best(const FoldState& state) const {
  if (!job_.writes()) return;
  make_folder(job_.folder->fold(job_.fold));
  save_model(job_.folder->best(job_.fold), *setup_.model, card(),
             {{"epoch", std::to_string(state.progress.epoch + 1)},
              {"fold", std::to_string(job_.fold)},
              {"layout", samples_.dataset.layout},
              {"precision", name_of(job_.options.precision)},
              {"monitor", name_of(job_.options.monitor)},
              {"monitor_value", fmt::format("{}", state.early_stopping.best_value())}});
}

bool FoldCheckpoints::last_is_due() const {
  return !saved_ || seconds_since(last_saved_) * kSaveShare >= save_seconds_;
}

void FoldCheckpoints::save_last(const FoldState& fold) {
  if (!job_.writes()) return;
  const Clock::time_point start = Clock::now();
  const MemoryTag tag("checkpoint");
  nn::State state;
  state.integers["version"] = kStateVersion;
  state.integers["fold"] = job_.fold;
  state.integers["freezing_parts"] = static_cast<std::int64_t>(setup_.freezing->parts().size());
  fold.progress.save(state);
  state.texts["seed"] = std::to_string(job_.options.seed);
  for (const auto& [key, value] : to_metadata(card())) state.texts[key] = value;
  for (const auto& [name, tensor] : setup_.model->state_dict()) {
    state.tensors["model." + name] = tensor;
  }
  state.merge("optimizer", setup_.optimizer->shared_state());
  state.merge("early_stopping", fold.early_stopping.state());
  if (setup_.ema) state.merge("ema", setup_.ema->shared_state());
  if (setup_.scaler) state.merge("grad_scaler", setup_.scaler->state());
  const std::string last = job_.folder->last(job_.fold);
  make_folder(std::filesystem::path(last).parent_path().string());
  if (last_is_whole_) {
    // A process killed between the two renames leaves the previous state alone.
    const std::string next = last + ".tmp";
    save_state(next, state);
    try {
      weights::rename_durably(last, job_.folder->previous(job_.fold));
      weights::rename_durably(next, last);
    } catch (const IoError&) {
      std::error_code ignored;
      std::filesystem::remove(next, ignored);
      throw;
    }
  } else {
    save_state(last, state);
  }
  saved_ = last_is_whole_ = true;
  last_saved_ = Clock::now();
  save_seconds_ = seconds_since(start);
}

/// In the other modes the parts do not matter: all of them learn from the first epoch or never.
void FoldCheckpoints::check_freezing(const std::string& path, const nn::State& state) const {
  const FreezingPlan& plan = *setup_.freezing;
  const auto recorded = state.integers.find("freezing_parts");
  // Versions that recorded none had a part for each of today's groups.
  const std::int64_t before = recorded != state.integers.end()
                                  ? recorded->second
                                  : static_cast<std::int64_t>(plan.groups().size());
  const auto now = static_cast<std::int64_t>(plan.parts().size());
  if (job_.options.mode != FreezingMode::Gradual || before == now) return;
  throw FormatError(fmt::format(
      "{}: was written by a version whose --mode gradual trains {} in {} stages; this one has {}, "
      "so it cannot be resumed to the same result. Start anew: finetune --config {} --out NEW",
      path, job_.options.model, before, now, job_.folder->config()));
}

std::optional<nn::State> FoldCheckpoints::read_newest() {
  const std::string last = job_.folder->last(job_.fold);
  const std::string previous = job_.folder->previous(job_.fold);
  std::string damage;
  if (exists(last)) {
    try {
      nn::State state = load_state(last);
      last_is_whole_ = true;
      return state;
    } catch (const FormatError& error) {
      damage = error.what();
    }
  }
  if (exists(previous)) {
    try {
      nn::State state = load_state(previous);
      if (!damage.empty()) {
        job_.reporter.warn(
            fmt::format("{}; going on from the state before it, {}", damage, previous));
      }
      return state;
    } catch (const FormatError& error) {
      damage += (damage.empty() ? "" : "\n  ") + std::string(error.what());
    }
  }
  if (damage.empty()) return {};
  throw FormatError(
      fmt::format("{}\n  no other state is kept; to train fold {} anew remove the folder {}",
                  damage, job_.fold, job_.folder->fold(job_.fold)));
}

FoldState FoldCheckpoints::load() {
  const Options& options = job_.options;
  FoldState fold{.progress = {.parts = options.accumulate},
                 .early_stopping = EarlyStopping::for_monitor(options.monitor, options.patience,
                                                              options.min_delta)};
  if (job_.folder == nullptr) return fold;
  std::optional<nn::State> state = read_newest();
  if (state) load_into_setup(*std::move(state), fold);
  return fold;
}

void FoldCheckpoints::load_into_setup(nn::State state, FoldState& fold) {
  const std::string path =
      last_is_whole_ ? job_.folder->last(job_.fold) : job_.folder->previous(job_.fold);
  state.check_version("training state", kStateVersion);
  if (state.integer("fold") != job_.fold) {
    throw FormatError(fmt::format("{}: is the state of fold {}, expected fold {}", path,
                                  state.integer("fold"), job_.fold));
  }
  check_freezing(path, state);
  fold.progress.load(state);
  const auto take = [&state](const std::string& part) {  // memory may not suffice for two of all
    nn::State taken = state.sub(part);
    std::erase_if(state.tensors,
                  [&part](const auto& entry) { return entry.first.starts_with(part + "."); });
    return taken;
  };
  {
    nn::StateDict tensors;
    for (const auto& [name, tensor] : take("model").tensors) tensors.insert(name, tensor);
    setup_.model->load_state_dict(tensors);
  }
  setup_.optimizer->load_state(take("optimizer"));
  fold.early_stopping.load_state(state.sub("early_stopping"));
  if (setup_.ema) setup_.ema->load_state(state.sub("ema"));
  if (setup_.scaler) setup_.scaler->load_state(state.sub("grad_scaler"));
  if (fold.early_stopping.best_epoch() >= 0) {
    const std::string best = job_.folder->best(job_.fold);
    weights::verify_checksum(best);
    for (const auto& [name, tensor] : weights::load(best).tensors) {
      fold.best_weights.insert(name, tensor.clone());
    }
  }
  resumed_ = saved_ = true;
}

}  // namespace hanok::training
