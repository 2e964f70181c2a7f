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

/// A network cut into parts, block by block from the head (the last layer) down to the stem. A
/// block is a direct child of the network, such as "layer4". Where the network keeps all of its
/// body in one chain ("features"), or the head lies in one ("classifier"), a block is an element of
/// that chain; in a chain of plain layers with pooling (VGG) it is all layers up to the next
/// pooling. A norm belongs to the block before it, and what has no parameters is no part.
///
///   feature-extraction   only the head learns; everything else is frozen, batch norm included
///   finetune             every part learns from the first epoch
///   gradual              the head learns from the first epoch; the epochs are cut into as many
///                        equal stages as there are parts, and each stage adds the next part down.
///                        With fewer epochs than parts an epoch adds several
///
/// --unfreeze-at EPOCH=GLOB overrides the mode: what matches is frozen before that epoch and learns
/// from it on; of several that match, the last one applies. Whatever the mode and rules, parameters
/// that match one of the user's globs stay frozen throughout.
class FreezingPlan {
 public:
  struct Part {
    std::string name;                  // "layer4", "conv1+bn1", "features.18"
    std::vector<std::string> modules;  // dotted paths, each with parameters
    std::int64_t first_epoch = 0;      // learns from here on; -1: never
  };
  /// The head, or another child of the network with its norm: the optimiser's groups.
  struct Group {
    std::string name;
    std::vector<std::string> modules;
  };

  /// Throws ValueError with near names if a glob matches nothing. Leaves `model` as in epoch 0.
  FreezingPlan(nn::Module& model, const std::string& head, FreezingRules rules);

  const std::vector<Part>& parts() const { return parts_; }
  const std::vector<Group>& groups() const { return groups_; }
  const std::string& head() const { return head_; }
  /// The part and the group that a parameter belongs to; its name is dotted and full.
  std::size_t part_of(const std::string& parameter) const;
  std::size_t group_of(const std::string& parameter) const;
  /// Freezes and unfreezes `model` for `epoch`. True if that differs from the epoch before.
  bool apply(nn::Module& model, std::int64_t epoch) const;
  /// One optimiser group for each of groups(), head first. A group's parameters take part once they
  /// are unfrozen. A group may be empty: all of "classifier" can be the head.
  std::vector<nn::ParameterGroup> parameter_groups(nn::Module& model) const;
  /// Parts with their parameter counts, how many of them learn, and from when: printable.
  std::string table(nn::Module& model) const;

 private:
  std::vector<Part> parts_;
  std::vector<Group> groups_;
  std::string head_;
  FreezingRules rules_;
};

/// The stages of --mode gradual, head first, with their parameter counts: printable.
std::string stages_table(nn::Module& model, const std::string& head);

/// Elements of the parameters that are trained at present.
std::int64_t trainable_parameters(nn::Module& model);

}  // namespace hanok::training
#pragma GCC visibility pop
