// Which parts of a network are trained, and from which epoch on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "hanok/apps/options/options.h"
#include "hanok/nn/module.h"
#include "hanok/nn/optim.h"

#pragma GCC visibility push(default)
namespace hanok::training {

/// What the options say about freezing.
struct FreezingRules {
  FreezingMode mode = FreezingMode::Finetune;
  std::int64_t epochs = 1;            // of the training, which `gradual` divides into stages
  std::vector<std::string> freeze{};  // globs of what is never trained
  std::vector<EpochGlob> unfreeze_at{};
};
FreezingRules freezing_rules(const Options& options);

/// A network cut into parts, from the head (the last layer) down to the stem. A part is a direct
/// child of the network that has parameters; a batch norm belongs to the convolution before it.
///
///   feature-extraction   only the head learns; everything else is frozen, batch norm included
///   finetune             every part learns from the first epoch
///   gradual              the head learns from the first epoch; the epochs are cut into as many
///                        equal stages as there are parts, and each stage adds the next part down
///
/// --unfreeze-at EPOCH=GLOB overrides the mode: what matches is frozen before that epoch and learns
/// from it on; of several that match, the last one applies. Whatever the mode and rules, parameters
/// that match one of the user's globs stay frozen throughout.
class FreezingPlan {
 public:
  struct Part {
    std::string name;                  // "layer4", "conv1+bn1"
    std::vector<std::string> modules;  // dotted paths
    std::int64_t first_epoch;          // learns from here on; -1: never
  };

  /// Throws ValueError with near names if a glob matches nothing. Leaves `model` as in epoch 0.
  FreezingPlan(nn::Module& model, const std::string& head, FreezingRules rules);

  const std::vector<Part>& parts() const { return parts_; }
  const std::string& head() const { return head_; }
  /// The part that a parameter belongs to; its name is dotted and full.
  std::size_t part_of(const std::string& parameter) const;
  /// Freezes and unfreezes `model` for `epoch`. True if that differs from the epoch before.
  bool apply(nn::Module& model, std::int64_t epoch) const;
  /// One optimiser group a part, head first. A group's parameters take part once they are unfrozen.
  std::vector<nn::ParameterGroup> parameter_groups(nn::Module& model) const;
  /// Parts with their parameter counts, how many of them learn, and from when: printable.
  std::string table(nn::Module& model) const;

 private:
  std::vector<Part> parts_;
  std::string head_;
  FreezingRules rules_;
};

/// Elements of the parameters that are trained at present.
std::int64_t trainable_parameters(nn::Module& model);

}  // namespace hanok::training
#pragma GCC visibility pop
