#include "hanok/apps/run/unreadable.h"

#include <algorithm>
#include <fmt/format.h>
#include <set>

namespace hanok::training {

std::vector<data::BadImage> take_out_unreadable(data::Dataset& dataset, std::int64_t workers,
                                                const data::Preprocessing& preprocessing) {
  std::vector<data::BadImage> bad =
      data::find_unreadable(dataset, static_cast<int>(workers), preprocessing);
  std::set<std::string> paths;
  for (const data::BadImage& image : bad) paths.insert(image.path);
  const auto is_bad = [&paths](const data::Sample& sample) {
    return paths.count(sample.path) != 0;
  };
  std::erase_if(dataset.samples, is_bad);
  return bad;
}

std::string list_unreadable(const std::vector<data::BadImage>& bad) {
  constexpr std::size_t kListed = 20;
  std::string out;
  for (std::size_t i = 0; i < std::min(bad.size(), kListed); ++i) {
    const std::string& reason = bad[i].reason;
    const bool named = reason.rfind(bad[i].path, 0) == 0;
    out += "\n  " + (named ? reason : bad[i].path + ": " + reason);
  }
  if (bad.size() > kListed) out += fmt::format("\n  ... and {} more", bad.size() - kListed);
  return out;
}

}  // namespace hanok::training
