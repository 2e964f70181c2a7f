#include "hanok/apps/options/option_pairs.h"

#include <charconv>
#include <cmath>
#include <fmt/format.h>

#include "hanok/apps/cli/errors.h"
#include "hanok/nn/state_dict.h"

namespace hanok::training {

EpochGlob parse_unfreeze_at(const std::string& text) {
  const std::size_t equals = text.find('=');
  EpochGlob pair{0, equals == std::string::npos ? "" : text.substr(equals + 1)};
  const char* end = text.data() + std::min(equals, text.size());
  const auto [stop, error] = std::from_chars(text.data(), end, pair.epoch);
  if (error != std::errc() || stop != end || pair.epoch < 1 || pair.glob.empty()) {
    throw UsageError(fmt::format(
        "--unfreeze-at: expects EPOCH=GLOB with epochs from 1, e.g. 3=layer4; got \"{}\"", text));
  }
  return pair;
}

GlobRate parse_lr_group(const std::string& text) {
  const std::size_t equals = text.rfind('=');
  GlobRate pair{text.substr(0, std::min(equals, text.size())), 0};
  bool good = equals != std::string::npos && equals > 0;
  if (good) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + equals + 1, end, pair.rate);
    good = error == std::errc() && stop == end && std::isfinite(pair.rate) && pair.rate > 0;
  }
  if (!good) {
    throw UsageError(fmt::format(
        "--lr-group: expects GLOB=LR with a rate above 0, e.g. layer4=1e-4; got \"{}\"", text));
  }
  return pair;
}

bool glob_matches_path(const std::string& glob, const std::string& parameter) {
  for (std::size_t end = parameter.size(); end != std::string::npos && end > 0;
       end = parameter.rfind('.', end - 1)) {
    if (nn::glob_matches(glob, parameter.substr(0, end))) return true;
  }
  return false;
}

}  // namespace hanok::training
