#include "hanok/apps/data_report/page_pictures.h"

#include <algorithm>
#include <set>

#include "hanok/apps/cli/signals.h"
#include "hanok/data/shards.h"
#include "hanok/engine/runtime.h"
#include "hanok/kernels/base/error.h"

namespace hanok::data_report {

namespace {

std::vector<std::vector<std::size_t>> contact_sheets(const data::Dataset& dataset,
                                                     const std::vector<ImageFacts>& facts) {
  const std::size_t classes = std::min(kSheetClasses, dataset.class_names.size());
  std::vector<std::vector<std::size_t>> sheets;
  for (std::size_t label = 0; label < classes; ++label) {
    const std::size_t each = std::clamp<std::size_t>(kSheetPhotographs / classes, 8, 36);
    sheets.push_back(contact_sheet(dataset, facts, static_cast<std::int64_t>(label), each));
  }
  return sheets;
}

}  // namespace

std::vector<std::size_t> shown_of(const std::vector<std::size_t>& samples) {
  const std::size_t count = std::min(kShownOfSet, samples.size());
  return {samples.begin(), samples.begin() + static_cast<std::ptrdiff_t>(count)};
}

std::vector<OddPhotograph> shown_of(const std::vector<OddPhotograph>& odd, Oddity oddity) {
  std::vector<OddPhotograph> shown;
  for (const OddPhotograph& each : odd) {
    if (each.oddity == oddity && shown.size() < kShownOdd) shown.push_back(each);
  }
  return shown;
}

PagePictures::PagePictures(const data::Dataset& dataset, const std::vector<ImageFacts>& facts,
                           const DataFindings& findings)
    : dataset_(dataset), sheets_(contact_sheets(dataset, facts)) {
  std::set<std::size_t> wanted;
  const auto want = [&wanted](const std::vector<std::size_t>& samples) {
    wanted.insert(samples.begin(), samples.end());
  };
  for (const std::vector<std::size_t>& sheet : sheets_) want(sheet);
  for (std::size_t i = 0; i < std::min(kShownSets, findings.duplicates.size()); ++i) {
    want(shown_of(findings.duplicates[i].samples));
  }
  for (std::size_t i = 0; i < std::min(kShownContradictions, findings.contradictions.size()); ++i) {
    want(shown_of(findings.contradictions[i].samples));
  }
  for (const Oddity oddity : kOddities) {
    for (const OddPhotograph& each : shown_of(findings.odd, oddity)) wanted.insert(each.sample);
  }
  std::erase_if(wanted, [&facts](std::size_t i) { return !facts[i].problem.empty(); });
  const std::vector<std::size_t> order(wanted.begin(), wanted.end());
  std::vector<pages::Picture> pictures(order.size());
  context_of(Device::cpu()).pool.run(static_cast<std::int64_t>(order.size()), [&](std::int64_t at) {
    if (training::interrupted()) return;
    const auto i = static_cast<std::size_t>(at);
    try {
      pictures[i] = pages::thumbnail(data::decode_whole_sample(dataset, order[i]));
    } catch (const Error&) {
      // It changed since it was measured; its tile is left out.
    }
  });
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (!pictures[i].bytes.empty()) pictures_.emplace(order[i], std::move(pictures[i]));
  }
}

pages::Gallery PagePictures::gallery(const std::string& caption,
                                     const std::vector<std::size_t>& samples,
                                     const std::vector<std::vector<std::string>>& lines) const {
  pages::Gallery gallery{.caption = caption, .tiles = {}};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    const auto picture = pictures_.find(samples[i]);
    if (picture == pictures_.end()) continue;
    gallery.tiles.push_back({.picture = picture->second,
                             .title = dataset_.samples[samples[i]].path,
                             .lines = i < lines.size() ? lines[i] : std::vector<std::string>()});
  }
  return gallery;
}

}  // namespace hanok::data_report
