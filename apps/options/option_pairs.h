// Options whose value is a pair: --unfreeze-at EPOCH=GLOB and --lr-group GLOB=LR.
#pragma once

#include <cstdint>
#include <string>

namespace hanok::training {

struct EpochGlob {
  std::int64_t epoch;  // 1 is the first
  std::string glob;
};
/// Throws UsageError naming the option.
EpochGlob parse_unfreeze_at(const std::string& text);

struct GlobRate {
  std::string glob;
  double rate;  // above 0
};
/// Throws UsageError naming the option.
GlobRate parse_lr_group(const std::string& text);

/// True if the glob matches a parameter's name or any module above it, as Module::freeze takes it.
bool glob_matches_path(const std::string& glob, const std::string& parameter);

}  // namespace hanok::training
