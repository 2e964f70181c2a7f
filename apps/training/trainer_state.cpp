// The trainer's checkpoints: the best weights, and the full state that an exact resume needs.
//
// Order matters when the process may die between two writes: best.safetensors, then the epoch's
// metrics, then last/state.safetensors. A resume starts from last/ and repeats what came after it,
// bit by bit, so that files which were ahead are overwritten with what they already held.
#include <filesystem>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/apps/run/files.h"
#include "hanok/apps/training/image_loading.h"
#include "hanok/apps/training/trainer.h"
#include "hanok/engine/allocator.h"
#include "hanok/weights/weights.h"

namespace hanok::training {
namespace {

constexpr std::int64_t kStateVersion = 1;
constexpr double kSaveShare = 0.05;  // saving may take this share of the time

}  // namespace

ModelCard Trainer::card() const {
  return {.model = job_.options.model,
          .class_names = dataset_.class_names,
          .preprocessing = preprocessing(job_.options),
          .hidden = job_.options.hidden};
}

void Trainer::save_best() {
  if (job_.folder == nullptr) return;
  make_folder(job_.folder->fold(job_.fold));
  save_model(job_.folder->best(job_.fold), *model_, card(),
             {{"epoch", std::to_string(epoch_ + 1)},
              {"fold", std::to_string(job_.fold)},
              {"layout", dataset_.layout},
              {"precision", name_of(job_.options.precision)},
              {"monitor", name_of(job_.options.monitor)},
              {"monitor_value", fmt::format("{}", early_stopping_.best_value())}});
}

void Trainer::save_last_if_due() {
  if (!saved_ || seconds_since(last_saved_) * kSaveShare >= save_seconds_) save_last();
}

void Trainer::save_last() {
  if (job_.folder == nullptr) return;
  const Clock::time_point start = Clock::now();
  const MemoryTag tag("checkpoint");
  nn::State state;
  state.integers["version"] = kStateVersion;
  state.integers["fold"] = job_.fold;
  state.integers["epoch"] = epoch_;
  state.integers["step_in_epoch"] = step_in_epoch_;
  state.integers["step"] = step_;
  state.integers["parts"] = parts_;
  state.integers["epoch_trained"] = epoch_trained_ ? 1 : 0;
  state.integers["correct"] = correct_;
  state.integers["seen"] = seen_;
  state.integers["images_trained"] = images_trained_;
  state.numbers["loss_sum"] = loss_sum_;
  state.numbers["epoch_seconds"] = epoch_seconds_;
  state.numbers["training_seconds"] = training_seconds_;
  state.numbers["seconds"] = seconds_;
  state.texts["seed"] = std::to_string(job_.options.seed);
  for (const auto& [key, value] : to_metadata(card())) state.texts[key] = value;
  for (const auto& [name, tensor] : model_->state_dict()) state.tensors["model." + name] = tensor;
  state.merge("optimizer", optimizer_->state());
  state.merge("early_stopping", early_stopping_.state());
  if (ema_) state.merge("ema", ema_->state());
  if (scaler_) state.merge("grad_scaler", scaler_->state());
  const std::string path = job_.folder->last(job_.fold);
  make_folder(std::filesystem::path(path).parent_path().string());
  step_log_->save();
  save_state(path, state);
  saved_ = true;
  last_saved_ = Clock::now();
  save_seconds_ = seconds_since(start);
}

void Trainer::load_last() {
  const std::string path = job_.folder->last(job_.fold);
  if (!std::filesystem::exists(path)) {
    if (job_.log != nullptr) job_.log->drop_from(job_.fold, 1);
    return;
  }
  const nn::State state = load_state(path);
  state.check_version("training state", kStateVersion);
  if (state.integer("fold") != job_.fold) {
    throw FormatError(fmt::format("{}: is the state of fold {}", path, state.integer("fold")));
  }
  epoch_ = state.integer("epoch");
  step_in_epoch_ = state.integer("step_in_epoch");
  step_ = state.integer("step");
  if (state.integers.count("parts") != 0) parts_ = state.integer("parts");
  epoch_trained_ = state.integer("epoch_trained") != 0;
  correct_ = state.integer("correct");
  seen_ = state.integer("seen");
  images_trained_ = state.integer("images_trained");
  loss_sum_ = state.number("loss_sum");
  epoch_seconds_ = state.number("epoch_seconds");
  training_seconds_ = state.number("training_seconds");
  seconds_ = state.number("seconds");
  nn::StateDict tensors;
  for (const auto& [name, tensor] : state.sub("model").tensors) tensors.insert(name, tensor);
  model_->load_state_dict(tensors);
  optimizer_->load_state(state.sub("optimizer"));
  early_stopping_.load_state(state.sub("early_stopping"));
  if (ema_) ema_->load_state(state.sub("ema"));
  if (scaler_) scaler_->load_state(state.sub("grad_scaler"));
  if (early_stopping_.best_epoch() >= 0) {
    for (const auto& [name, tensor] : weights::load(job_.folder->best(job_.fold)).tensors) {
      best_weights_.insert(name, tensor.clone());
    }
  }
  if (job_.log != nullptr) job_.log->drop_from(job_.fold, epoch_ + 1);
  saved_ = true;
  start_note_ = fmt::format("fold {}: going on at epoch {}, step {}", job_.fold, epoch_ + 1,
                            step_in_epoch_ + 1);
}

}  // namespace hanok::training
