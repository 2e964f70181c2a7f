// Synthetic faces: drawn photographs in the mask competition's layout, so that the main job runs on
// a machine without data.
#pragma once

#include <cstdint>
#include <string>

#include "hanok/data/image.h"

namespace hanok::data {

struct FaceAttributes {
  int mask = 0;    // 0 worn, 1 worn below the nose, 2 none
  int gender = 0;  // 0 male, 1 female
  int age = 30;    // years
};

/// One photograph. Nuisance (pose, light, background, skin, noise) is a pure function of (seed,
/// person, shot); looks of the person of (seed, person).
Image draw_face(const FaceAttributes& attributes, std::uint64_t seed, std::int64_t person,
                std::int64_t shot, int width = 96, int height = 128);

struct SyntheticOptions {
  int people = 60;  // each with 7 photographs
  std::uint64_t seed = 0;
  int width = 96, height = 128;
  double wrong_label_fraction = 0;  // of people: a wrong gender or age group in train.csv
};
/// Writes ROOT/train/{train.csv,images/...} and ROOT/eval/{info.csv,images/...} in the competition
/// layout, sex and age imbalanced as in the original; as many photographs to predict as people, of
/// others. Uses all CPUs. Throws ValueError if train or eval is there already, IoError if writing
/// fails.
void write_synthetic_competition(const std::string& root, const SyntheticOptions& options);

}  // namespace hanok::data
