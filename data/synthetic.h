// Synthetic faces: drawn photographs in the mask competition's layout, for a machine without data.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/data/image.h"

#pragma GCC visibility push(default)
namespace hanok::data {

struct FaceAttributes {
  int mask = 0;    // 0 worn, 1 worn below the nose, 2 not worn
  int gender = 0;  // 0 male, 1 female
  int age = 30;    // years
};

/// Draws one photograph. Pose, light, background, skin and noise are a function of (seed, person,
/// shot), the person's looks of (seed, person). Throws ValueError for attributes out of range or
/// fewer than 16x16 pixels.
Image draw_face(const FaceAttributes& attributes, std::uint64_t seed, std::int64_t person,
                std::int64_t shot, int width = 96, int height = 128);

struct SyntheticOptions {
  int people = 60;  // each with 7 photographs
  std::uint64_t seed = 0;
  int width = 96, height = 128;
  /// Fraction of people with a wrong gender or age group in train.csv.
  double wrong_label_fraction = 0;
};
/// Writes ROOT/train/{train.csv,images/...} and ROOT/eval/{info.csv,images/...} in the competition
/// layout, with sex and age imbalanced as in the original; eval has one photograph each of as many
/// other people. Uses all CPUs. Throws ValueError if train or eval exists, IoError if writing
/// fails.
void write_synthetic_competition(const std::string& root, const SyntheticOptions& options);

}  // namespace hanok::data
#pragma GCC visibility pop
