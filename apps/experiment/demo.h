// finetune --demo: synthetic faces to train on, and options with which training takes a few
// minutes.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/apps/options/options.h"

#pragma GCC visibility push(default)
namespace hanok::training {

inline constexpr std::int64_t kDemoPeople = 150;

/// Sets the options in which the demo differs from the defaults.
void apply_demo_preset(Options& options);

/// Draws synthetic faces of so many people into `root`; returns the folder to train on.
std::string draw_demo_data(const std::string& root, std::int64_t people, std::uint64_t seed);

}  // namespace hanok::training
#pragma GCC visibility pop
